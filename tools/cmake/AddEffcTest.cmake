# How tests that are programs are declared. They are found by ctest, one test a GoogleTest case.
find_package(GTest REQUIRED)
include(GoogleTest)

# effc_add_unittest(NAME SOURCES a.cpp ... LINK lib ...)
function(effc_add_unittest NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  effc_compile_options(${NAME})
  target_link_libraries(${NAME} PRIVATE ${ARG_LINK} GTest::gtest_main)
  # PRE_TEST: the build does not run the program, ctest does.
  gtest_discover_tests(${NAME} DISCOVERY_MODE PRE_TEST)
endfunction()
