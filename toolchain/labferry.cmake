# How every part of Labferry is compiled: language, warnings, hardening, and the helpers that folders use.
include(GNUInstallDirs)
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
enable_testing()

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

option(LF_WERROR "Treat warnings as errors (CI turns this on)" OFF)
option(LF_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer; always on in a Debug build" OFF)
option(LF_TESTS "Build the unit tests (needs CUnit)" ON)
option(LF_FUZZ "Build the fuzz targets of tests/fuzz (needs clang); turns the sanitizers on" OFF)
if(LF_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "LF_FUZZ needs clang, for its libFuzzer: configure with -DCMAKE_C_COMPILER=clang")
    endif()
    set(LF_SANITIZE ON)
    add_compile_options(-fsanitize=fuzzer-no-link) # every part reports what it went through
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
    set(LF_SANITIZE ON)
    add_compile_definitions(LF_TEST_POINTS) # src/base/point.h: where tests may kill the program
endif()

# lf_flag(FLAG): compiles with FLAG where this compiler knows it for this processor.
function(lf_flag flag)
    string(MAKE_C_IDENTIFIER "LF_HAS${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
        add_compile_options(${flag})
    endif()
endfunction()

function(lf_link_flag flag)
    string(MAKE_C_IDENTIFIER "LF_HAS${flag}" known)
    check_linker_flag(C ${flag} ${known})
    if(${known})
        add_link_options(${flag})
    endif()
endfunction()

add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
                    -Wformat-security)
lf_flag(-Wno-format-truncation) # gcc: bounded sentences are cut on purpose
if(LF_WERROR)
    add_compile_options(-Werror)
endif()

# 64-bit file sizes and times on 32-bit processors too.
add_compile_definitions(_GNU_SOURCE _FILE_OFFSET_BITS=64 _TIME_BITS=64 LF_VERSION="${PROJECT_VERSION}")

# A freed or missing pointer read at -O2 must not be reasoned away; overflow of a signed number must not be UB that
# differs between the sanitized build and the shipped one.
add_compile_options(-fno-delete-null-pointer-checks -fno-common)
if(NOT LF_FUZZ) # there, an overflow is to be found, harmless or not
    add_compile_options(-fno-strict-overflow)
endif()
if(LF_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
else()
    lf_flag(-fstack-protector-strong)
    lf_flag(-fstack-clash-protection)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|i.86")
        lf_flag(-fcf-protection)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
        lf_flag(-mbranch-protection=standard)
    endif()
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    foreach(flag IN ITEMS -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
        lf_link_flag(${flag})
    endforeach()
endif()
include_directories(${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})

# lf_use_packages(TARGET libcjson ...): the libraries by their pkg-config names.
function(lf_use_packages name)
    get_target_property(kind ${name} TYPE)
    set(scope PRIVATE)
    if(kind STREQUAL "STATIC_LIBRARY")
        set(scope PUBLIC)
    endif()
    foreach(pkg IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER ${pkg} id)
        if(NOT TARGET PkgConfig::${id})
            pkg_check_modules(${id} REQUIRED IMPORTED_TARGET GLOBAL ${pkg})
        endif()
        target_link_libraries(${name} ${scope} PkgConfig::${id})
    endforeach()
endfunction()

# lf_library(NAME SOURCES a.c b.c LIBS lf_base PKGS libcjson): one static library per folder.
function(lf_library name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS;PKGS" ${ARGN})
    add_library(${name} STATIC ${A_SOURCES})
    target_link_libraries(${name} PUBLIC ${A_LIBS} Threads::Threads)
    lf_use_packages(${name} ${A_PKGS})
endfunction()

# lf_program(NAME SOURCES .. LIBS .. PKGS ..)
function(lf_program name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS;PKGS" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LIBS} Threads::Threads)
    lf_use_packages(${name} ${A_PKGS})
endfunction()

# lf_unit_test(NAME SOURCES .. LIBS .. PKGS ..): a CUnit program, also a ctest test. See tests/unit/unit.h.
function(lf_unit_test name)
    lf_program(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE lf_unit)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/unit)
    add_test(NAME ${name} COMMAND ${name})
endfunction()

# lf_fuzz_target(NAME SOURCES .. LIBS .. WRAPS symbol..): targets/NAME, a libFuzzer program; see tests/fuzz/fuzz.h. A
# call of a wrapped symbol from another file goes to __wrap_symbol, which the target defines.
function(lf_fuzz_target name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS;WRAPS" ${ARGN})
    lf_program(fuzz_${name} SOURCES ${A_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz.c LIBS ${A_LIBS} lf_base)
    target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz)
    target_compile_definitions(fuzz_${name} PRIVATE FUZZ_SOURCE="${PROJECT_SOURCE_DIR}")
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    foreach(symbol IN LISTS A_WRAPS)
        target_link_options(fuzz_${name} PRIVATE -Wl,--wrap=${symbol})
    endforeach()
    set_target_properties(fuzz_${name} PROPERTIES
        OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/targets)
    add_dependencies(fuzz fuzz_${name})
endfunction()
