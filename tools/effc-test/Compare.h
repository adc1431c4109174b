// Whether a result is what a test expects.
#ifndef EFFC_TOOLS_EFFC_TEST_COMPARE_H
#define EFFC_TOOLS_EFFC_TEST_COMPARE_H

#include "Tensors.h"
#include <string>
#include <vector>

namespace effc::test {

/// An element agrees when |got - want| <= absolute + relative * |want|; NaN and
/// infinities only with themselves, integers exactly.
struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;
};

/// The largest errors seen.
struct Errors {
  double absolute = 0, relative = 0;
};

/// What is wrong with type or shape, empty when nothing is.
std::string compareTypes(const NpyArray &got, const NpyArray &want);

/// The same for all of a result.
std::string compareTensors(const NpyArray &got, const NpyArray &want,
                           const Tolerance &tolerance, Errors &errors);

/// Random results can only be checked for type, shape and range; this says
/// whether the model has an operator that makes them.
bool isRandom(const std::vector<std::string> &operators);

/// The same as compareTensors for random results: what each element may be
/// follows from the expected ones.
std::string checkProperties(const NpyArray &got, const NpyArray &want);

/// Whether the test is a Dropout that leaves elements out.
bool isTrainingDropout(const std::string &test);

/// What such a Dropout made of x: an element of y is x / (1 - ratio), or 0
/// where the mask (null without) says so, and chance allows that many zeros.
std::string checkDropout(const NpyArray &x, double ratio, const NpyArray &y,
                         const NpyArray *mask);

/// Tolerances by test name, as test/Execute/tolerances.json has them.
class ToleranceTable {
public:
  bool read(const std::string &path, std::string &error);
  Tolerance get(const std::string &test) const;

private:
  Tolerance general;
  struct Row {
    std::string pattern;
    std::optional<double> relative, absolute;
  };
  std::vector<Row> rows;
};

} // namespace effc::test

#endif // EFFC_TOOLS_EFFC_TEST_COMPARE_H
