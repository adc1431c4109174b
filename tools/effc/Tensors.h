// Inputs and outputs of a compiled library as named arrays.
#ifndef EFFC_TOOLS_EFFC_TENSORS_H
#define EFFC_TOOLS_EFFC_TENSORS_H

#include "Console.h"
#include "effc/Support/Npy.h"
#include "effrt/effrt.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace effc::tool {

/// Reads ONNX's TensorProto in wire format, as the backend tests store data.
std::optional<NpyArray> readTensorProto(const std::string &path,
                                        std::string &error);
/// The same from memory; `name` is how messages call it.
std::optional<NpyArray> parseTensorProto(const uint8_t *bytes, size_t size,
                                         const std::string &name,
                                         std::string &error);

/// A model opened by path with one session.
class Library {
public:
  /// Null and a reported error when it cannot be opened.
  /// `version`: as --cpu named it; empty: the best that this machine runs.
  static std::unique_ptr<Library> open(const std::string &path, int threads,
                                       const Console &console,
                                       const std::string &version = "");
  /// The same for a model that was compiled into memory, which stays there as
  /// long as this does.
  static std::unique_ptr<Library>
  create(std::shared_ptr<const effrt_model_desc> desc, int threads,
         const Console &console);
  ~Library();

  effrt_model *model = nullptr;
  effrt_session *session = nullptr;
  effrt_model_info info = {};
  /// The general entry point, whose names all others share.
  uint32_t general = 0;
  std::vector<effrt_tensor_info> inputs, outputs;
  std::vector<effrt_symbol_info> symbols;
  uint32_t numStates = 0;
  /// The states, by the names that the model gives them before and after a run.
  std::vector<effrt_tensor_info> statesBefore, statesAfter;
  /// Whether a state has another size from run to run.
  bool stateGrows() const;
  double openMs = 0;

private:
  Library() = default;
  bool start(int threads, const Console &console);

  std::shared_ptr<const effrt_model_desc> desc;
};

/// "f32 [batch, 3]".
std::string describe(const effrt_tensor_info &info);
std::string describe(const NpyArray &array);

/// Where inputs come from, as --inputs, --input and --dim say.
struct InputOptions {
  std::string all;
  std::vector<std::string> single;
  std::vector<std::string> dims;
  void addOptions(CLI::App &verb);
};

/// Inputs in the order of the model, or nothing after a reported error. What
/// is no input goes to `rest`, if that is wanted, and else gets a warning.
std::optional<NpzArrays> loadInputs(const Library &library,
                                    const InputOptions &options,
                                    const Console &console,
                                    NpzArrays *rest = nullptr);

/// Says that an array is no input.
void warnUnused(const std::string &name, const Console &console);

/// Inputs and outputs in the form that a run takes.
class Bindings {
public:
  /// Resolves shapes and takes memory; false after a reported error.
  bool bind(Library &library, NpzArrays &inputs, const Console &console) {
    if (!resolve(library, inputs, console))
      return false;
    takeMemory(library);
    return true;
  }
  /// The two halves of it.
  bool resolve(Library &library, NpzArrays &inputs, const Console &console);
  void takeMemory(const Library &library);
  effrt_status run(Library &library) {
    return effrt_session_run(library.session, EFFRT_PROGRAM_ANY, inputs.data(),
                             inputs.size(), outputs.data(), outputs.size());
  }

  /// Copies outputs whose size only a run knows; false after a reported error.
  bool fetchLate(Library &library, const Console &console);

  std::vector<effrt_tensor> inputs, outputs;
  NpzArrays results;
};

/// Runs once; the outputs, or nothing after a reported error.
std::optional<NpzArrays> runOnce(Library &library, NpzArrays &inputs,
                                 const Console &console);

/// Runs `steps` times on one session. An input with one more axis in front, of
/// length `steps`, gives a frame to each run; outputs get such an axis. Gives
/// the outputs named in `wanted`, all for none.
std::optional<NpzArrays> runSteps(Library &library, NpzArrays &inputs,
                                  int64_t steps,
                                  const std::vector<std::string> &wanted,
                                  const Console &console);

/// Any element as a number; 64-bit integers may lose their last bits.
double getElement(const NpyArray &array, size_t index);
size_t getNumElements(const NpyArray &array);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_TENSORS_H
