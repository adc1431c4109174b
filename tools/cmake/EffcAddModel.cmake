# effc_add_model(TARGET model.onnx [NAME name] [STATIC] [OPTIONS option...])
#
# Compiles the model when the application is built and again when it changes. Link TARGET and include "NAME.h".
#   NAME     name of library, header and C functions; by default TARGET
#   STATIC   an archive that becomes part of the application instead of a shared library beside it
#   OPTIONS  more options of `effc compile`, such as --cpu=v3 or --dim batch=1
function(effc_add_model TARGET MODEL)
  cmake_parse_arguments(ARG "STATIC" "NAME" "OPTIONS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "effc_add_model(${TARGET}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  get_filename_component(model "${MODEL}" ABSOLUTE)
  if(NOT EXISTS "${model}")
    message(FATAL_ERROR "effc_add_model(${TARGET}): no such model: ${model}")
  endif()
  set(name "${TARGET}")
  if(ARG_NAME)
    set(name "${ARG_NAME}")
  endif()
  if(NOT name MATCHES "^[A-Za-z_][A-Za-z0-9_]*$")
    message(FATAL_ERROR "effc_add_model(${TARGET}): '${name}' is no C identifier; pass NAME")
  endif()
  set(kind SHARED)
  set(suffix ".so")
  set(options ${ARG_OPTIONS})
  if(ARG_STATIC)
    set(kind STATIC)
    set(suffix ".a")
    list(APPEND options --static)
  endif()

  # One folder a model: effc replaces its files as a whole.
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/effc/${TARGET}")
  set(library "${folder}/lib${name}${suffix}")
  add_custom_command(
    OUTPUT "${library}" "${folder}/${name}.h" "${folder}/${name}.json"
    COMMAND effc::effc compile "${model}" -o "${folder}" --name "${name}" ${options}
    DEPENDS "${model}" effc::effc
    COMMENT "Compiling ${MODEL} with effc"
    VERBATIM)
  add_custom_target(${TARGET}_effc DEPENDS "${library}" "${folder}/${name}.h")

  # The folder must exist for an imported target that names it, already when CMake runs.
  file(MAKE_DIRECTORY "${folder}")
  add_library(${TARGET} ${kind} IMPORTED GLOBAL)
  add_dependencies(${TARGET} ${TARGET}_effc)
  set_target_properties(${TARGET} PROPERTIES
    IMPORTED_LOCATION "${library}"
    INTERFACE_INCLUDE_DIRECTORIES "${folder}")
  if(ARG_STATIC)
    find_package(Threads REQUIRED)
    target_link_libraries(${TARGET} INTERFACE m Threads::Threads)
  endif()
endfunction()
