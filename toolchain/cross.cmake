# The part common to arm64.cmake and armhf.cmake. LF_SYSROOT, a folder that toolchain/sysroot made, may also come
# from the environment: CMake reads this file again for each of its own trial programs.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${LF_TRIPLET}-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE ${LF_TRIPLET})

if(NOT LF_SYSROOT)
    set(LF_SYSROOT $ENV{LF_SYSROOT})
endif()
if(NOT IS_DIRECTORY "${LF_SYSROOT}/usr/lib/${LF_TRIPLET}")
    message(FATAL_ERROR "LF_SYSROOT=\"${LF_SYSROOT}\" has no libraries for ${LF_TRIPLET}: "
                        "create it with toolchain/sysroot and pass its path as -DLF_SYSROOT=...")
endif()
set(ENV{LF_SYSROOT} ${LF_SYSROOT})
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LF_SYSROOT)

set(CMAKE_SYSROOT ${LF_SYSROOT})
set(libraries ${LF_SYSROOT}/usr/lib/${LF_TRIPLET})
set(CMAKE_C_FLAGS_INIT "-B${libraries} -isystem ${LF_SYSROOT}/usr/include/${LF_TRIPLET}")
set(link_flags "-L${libraries} -L${LF_SYSROOT}/lib/${LF_TRIPLET}")
string(APPEND link_flags " -Wl,-rpath-link,${libraries}:${LF_SYSROOT}/lib/${LF_TRIPLET}")
set(CMAKE_EXE_LINKER_FLAGS_INIT ${link_flags})
set(CMAKE_SHARED_LINKER_FLAGS_INIT ${link_flags})
set(CMAKE_MODULE_LINKER_FLAGS_INIT ${link_flags})

set(CMAKE_FIND_ROOT_PATH ${LF_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${LF_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${libraries}/pkgconfig:${LF_SYSROOT}/usr/share/pkgconfig:${LF_SYSROOT}/usr/lib/pkgconfig)
set(ENV{PKG_CONFIG_PATH} "")

set(CMAKE_CROSSCOMPILING_EMULATOR ${LF_EMULATOR};-L;${LF_SYSROOT})
