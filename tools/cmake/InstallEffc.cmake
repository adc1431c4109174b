# What `cmake --install` puts below a prefix: the compiler, the runtime with its headers (see lib/Runtime) and the
# CMake package. The package works from the build folder too: -Deffc_DIR=build/release.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/effc")
set_target_properties(effc PROPERTIES
  INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}"
  # MLIR and LLVM need not lie where the loader looks by itself.
  INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS effc EXPORT effcTargets)
install(EXPORT effcTargets NAMESPACE effc:: DESTINATION "${package_dir}")
export(EXPORT effcTargets NAMESPACE effc:: FILE "${CMAKE_BINARY_DIR}/effcTargets.cmake")

configure_package_config_file(tools/cmake/effcConfig.cmake.in "${CMAKE_BINARY_DIR}/effcConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
# Before 1.0 every minor version may change the ABI.
write_basic_package_version_file("${CMAKE_BINARY_DIR}/effcConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
configure_file(tools/cmake/EffcAddModel.cmake "${CMAKE_BINARY_DIR}/EffcAddModel.cmake" COPYONLY)
install(FILES
  "${CMAKE_BINARY_DIR}/effcConfig.cmake"
  "${CMAKE_BINARY_DIR}/effcConfigVersion.cmake"
  tools/cmake/EffcAddModel.cmake
  DESTINATION "${package_dir}")
