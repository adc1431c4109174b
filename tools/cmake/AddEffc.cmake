# How effc's libraries are declared: every library states its layer, and configuring fails when one
# links against a library of the same or a higher layer. See docs/architecture.md.

# The headers of MLIR cost about 15 s a file; all C++ libraries share one precompiled copy.
function(effc_add_precompiled_header)
  file(WRITE "${CMAKE_BINARY_DIR}/pch.cpp" "")
  add_library(effc_pch OBJECT "${CMAKE_BINARY_DIR}/pch.cpp")
  target_precompile_headers(effc_pch PRIVATE "${CMAKE_SOURCE_DIR}/tools/cmake/pch.h")
  effc_compile_options(effc_pch)
endfunction()

function(effc_compile_options TARGET)
  target_compile_options(${TARGET} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers>
    $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Xclang -fno-pch-timestamp>
    $<$<BOOL:${EFFC_WERROR}>:-Werror>)
endfunction()

# effc_add_library(NAME LAYER n SOURCES a.cpp ... [LINK lib ...] [DEPENDS target ...] [NO_PCH])
function(effc_add_library NAME)
  cmake_parse_arguments(ARG "NO_PCH" "LAYER" "SOURCES;LINK;DEPENDS" ${ARGN})
  if(NOT DEFINED ARG_LAYER)
    message(FATAL_ERROR "effc_add_library(${NAME}): LAYER is missing")
  endif()
  add_library(${NAME} STATIC ${ARG_SOURCES})
  set_target_properties(${NAME} PROPERTIES EFFC_LAYER ${ARG_LAYER})
  effc_compile_options(${NAME})
  if(NOT ARG_NO_PCH)
    target_precompile_headers(${NAME} REUSE_FROM effc_pch)
  endif()
  target_link_libraries(${NAME} PUBLIC ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${NAME} ${ARG_DEPENDS})
  endif()
  if(TARGET effc_dialects_tablegen)
    add_dependencies(${NAME} effc_dialects_tablegen)
  endif()
  foreach(dep IN LISTS ARG_LINK)
    if(TARGET ${dep})
      get_target_property(layer ${dep} EFFC_LAYER)
      if(layer MATCHES "^[0-9]+$" AND NOT layer LESS ARG_LAYER)
        message(FATAL_ERROR "${NAME} (layer ${ARG_LAYER}) must not use ${dep} (layer ${layer}): "
                            "a library may only use libraries of a lower layer")
      endif()
    endif()
  endforeach()
endfunction()

# effc_add_tool(NAME SOURCES ... LINK ...): a command-line program in bin/.
function(effc_add_tool NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  # The shared precompiled header is position independent as for a library, which -fPIE is not.
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin"
    POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${NAME} PRIVATE -fPIC)
  effc_compile_options(${NAME})
  target_precompile_headers(${NAME} REUSE_FROM effc_pch)
  target_link_libraries(${NAME} PRIVATE ${ARG_LINK} MLIR LLVM)
endfunction()

# effc_link_mlir_archives(TARGET lib ...): archives of MLIR that its shared library does not hold. By file, because
# their CMake targets would bring all of MLIR a second time.
function(effc_link_mlir_archives TARGET)
  foreach(library IN LISTS ARGN)
    find_library(EFFC_${library} NAMES lib${library}.a ${library} HINTS "${LLVM_LIBRARY_DIR}" REQUIRED)
    target_link_libraries(${TARGET} PRIVATE "${EFFC_${library}}")
  endforeach()
  target_link_libraries(${TARGET} PRIVATE MLIR LLVM)
endfunction()
