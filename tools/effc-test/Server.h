// Tests on request: a line of JSON on standard input asks, one on standard
// output answers.
#ifndef EFFC_TOOLS_EFFC_TEST_SERVER_H
#define EFFC_TOOLS_EFFC_TEST_SERVER_H

#include "Executor.h"

namespace effc::test {

/// A verdict as one line of JSON.
std::string formatVerdict(const Verdict &verdict);

/// Serves until standard input ends; the exit code.
///
/// A request names a folder, or brings model and data along:
///   {"folder": F, "mode": M, "plain": B, "opt_level": O}
///   {"name": N, "mode": M, "plain": B, "opt_level": O, "rtol": R, "atol": A,
///    "model": bytes, "inputs": [bytes...], "outputs": [bytes...]}
/// The bytes follow the line in this order. With "results": true nothing is
/// compared: the answer describes the results, whose bytes follow it.
int serve(Executor &executor, const ToleranceTable &tolerances,
          ExecutorOptions options);

} // namespace effc::test

#endif // EFFC_TOOLS_EFFC_TEST_SERVER_H
