# effc_add_cross_runtime(ARCH SOURCES): libeffrt_model.a for ARCH-linux-gnu in lib/effc/ARCH-linux-gnu, where effc looks
# for it when it compiles for ARCH. Optional: Clang makes code for any architecture, but the headers of a C library for it
# must be installed (Debian: libc6-dev-arm64-cross). Sets EFFC_CROSS_ARCHS for the tests.
function(effc_add_cross_runtime arch sources)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" host)
  if(host STREQUAL arch)
    return()
  endif()
  set(triple ${arch}-linux-gnu)
  find_program(EFFC_CROSS_CLANG NAMES clang-22 clang HINTS "${LLVM_TOOLS_BINARY_DIR}")
  find_program(EFFC_CROSS_AR NAMES llvm-ar-22 llvm-ar HINTS "${LLVM_TOOLS_BINARY_DIR}")
  find_path(EFFC_CROSS_INCLUDE_${arch} stdio.h PATHS "/usr/${triple}/include" NO_DEFAULT_PATH)
  if(NOT EFFC_CROSS_CLANG OR NOT EFFC_CROSS_AR OR NOT EFFC_CROSS_INCLUDE_${arch})
    message(STATUS "No runtime for ${arch}: needs clang, llvm-ar and the C headers in /usr/${triple}/include "
                   "(Debian: libc6-dev-arm64-cross); effc --cpu=neon will say so")
    return()
  endif()
  # Never the helper functions of libgcc, which models are not linked with.
  set(options --target=${triple} -isystem "${EFFC_CROSS_INCLUDE_${arch}}" -std=c11 -O2 -fPIC -mno-outline-atomics
    -Wall -Wextra -pedantic -fvisibility=hidden -ffunction-sections -fdata-sections
    "-I${CMAKE_SOURCE_DIR}/include" "-I${CMAKE_CURRENT_SOURCE_DIR}")
  set(folder "${CMAKE_BINARY_DIR}/lib/effc/${triple}")
  set(archive "${folder}/libeffrt_model.a")
  set(objects)
  foreach(source IN LISTS sources)
    get_filename_component(name "${source}" NAME_WE)
    set(object "${folder}/objects/${name}.o")
    add_custom_command(OUTPUT "${object}"
      COMMAND "${EFFC_CROSS_CLANG}" ${options} -MD -MF "${object}.d" -MT "${object}"
        -c "${CMAKE_CURRENT_SOURCE_DIR}/${source}" -o "${object}"
      DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${source}"
      DEPFILE "${object}.d"
      COMMENT "Building ${source} for ${arch}"
      VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  file(MAKE_DIRECTORY "${folder}/objects")
  add_custom_command(OUTPUT "${archive}"
    COMMAND "${CMAKE_COMMAND}" -E rm -f "${archive}"
    COMMAND "${EFFC_CROSS_AR}" rcsD "${archive}" ${objects}
    DEPENDS ${objects}
    COMMENT "Archiving the runtime for ${arch}"
    VERBATIM)
  add_custom_target(effrt_model_${arch} ALL DEPENDS "${archive}")
  install(FILES "${archive}" DESTINATION "lib/effc/${triple}")
  set(EFFC_CROSS_ARCHS ${EFFC_CROSS_ARCHS} ${arch} CACHE INTERNAL "Architectures with a runtime besides the host's")
endfunction()
