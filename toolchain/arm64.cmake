# For 64-bit ARM boards (Debian arm64). Also without toolchain/build:
#   cmake -DCMAKE_TOOLCHAIN_FILE=toolchain/arm64.cmake -DLF_SYSROOT=$(toolchain/sysroot arm64 | tail -1) ...
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(LF_TRIPLET aarch64-linux-gnu)
set(LF_EMULATOR qemu-aarch64-static)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
