// One program of eff ops, run in the plain and the fast path, with sizes known
// and as symbols, against expected tensors.
#ifndef EFFC_TEST_UNIT_CONVERSION_LOOPCASE_H
#define EFFC_TEST_UNIT_CONVERSION_LOOPCASE_H

#include "Tensor.h"
#include "gtest/gtest.h"
#include <map>
#include <optional>
#include <set>

namespace effc {

struct LoopCase {
  /// One op without types, such as "eff.unary relu %a0", or a whole body that
  /// defines %r. Input i is %a<i>; `$i` stands for its type, `$r` for the
  /// result's and `$r:f32` for the result's shape with another element type.
  std::string text;
  std::vector<Tensor> inputs;
  std::vector<Tensor> expected;
  /// Inputs that the program holds as constants.
  std::set<size_t> constants = {};
  /// What to call a size when sizes are symbols: {{7, "s0"}, {14, "s0 * 2"}}.
  /// Empty: no such run.
  std::map<int64_t, std::string> dims = {};
  double relative = 1e-5, absolute = 1e-6;
  /// The code that the kernels must report; results are not looked at unless 0.
  int32_t error = 0;
  /// Launches that the fast path must make.
  std::optional<unsigned> launches = std::nullopt;
  /// Convolutions by Winograd's algorithm wherever it is possible.
  bool winograd = false;
  /// Targets of the run; v3 has vectors of 256 bits.
  std::vector<std::string> cpus = {"native"};
};

/// Fails the test where a run differs from what is expected.
void check(const LoopCase &c);

} // namespace effc

#endif // EFFC_TEST_UNIT_CONVERSION_LOOPCASE_H
