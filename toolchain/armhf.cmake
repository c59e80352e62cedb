# For 32-bit ARM boards with hardware floating point (Debian armhf). Also without toolchain/build:
#   cmake -DCMAKE_TOOLCHAIN_FILE=toolchain/armhf.cmake -DLF_SYSROOT=$(toolchain/sysroot armhf | tail -1) ...
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(LF_TRIPLET arm-linux-gnueabihf)
set(LF_EMULATOR qemu-arm-static)
include(${CMAKE_CURRENT_LIST_DIR}/cross.cmake)
