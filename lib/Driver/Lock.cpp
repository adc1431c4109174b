// Reading is strict: a field that is missing or of another kind is an error,
// because a lock that is half understood would give another library.
#include "effc/Driver/Lock.h"
#include "effc/Support/Json.h"
#include <algorithm>
#include <cmath>

using Json = nlohmann::ordered_json;

namespace effc {

static constexpr const char *kFormat = "effc-lock";
static constexpr int kVersion = 1;
static constexpr size_t kMaxText = 200;
// Microseconds; a kernel of eleven days.
static constexpr double kMostNumber = 1e12;

LockTarget *Lock::find(llvm::StringRef machine) {
  auto found = llvm::find_if(targets, [&](const LockTarget &target) {
    return target.machine == machine;
  });
  return found == targets.end() ? nullptr : &*found;
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {

/// Takes fields out of objects; remembers the first that is wrong.
class Reader {
public:
  bool isGood() const { return error.empty(); }
  const std::string &getError() const { return error; }

  std::string text(const Json &object, const char *key) {
    const Json *field = find(object, key);
    if (field && field->is_string() &&
        field->get_ref<const std::string &>().size() <= kMaxText)
      return field->get<std::string>();
    fail(key, "a short text");
    return "";
  }

  double number(const Json &object, const char *key) {
    const Json *field = find(object, key);
    if (field && field->is_number()) {
      double value = field->get<double>();
      if (value >= 0 && value <= kMostNumber)
        return value;
    }
    fail(key, "a number of 0 or more");
    return 0;
  }

  const Json &list(const Json &object, const char *key) {
    const Json *field = find(object, key);
    if (field && field->is_array())
      return *field;
    fail(key, "a list");
    return none;
  }

  const Json &object(const Json &object, const char *key) {
    const Json *field = find(object, key);
    if (field && field->is_object())
      return *field;
    fail(key, "an object");
    return none;
  }

  void fail(const std::string &what, const std::string &expected) {
    if (error.empty())
      error = "'" + what + "' is missing or not " + expected;
  }

private:
  static const Json *find(const Json &object, const char *key) {
    if (!object.is_object())
      return nullptr;
    auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }

  std::string error;
  const Json none = Json::array();
};

} // namespace

static ChoiceKey readKey(Reader &reader, const Json &json) {
  ChoiceKey key;
  key.kernel = reader.text(json, "kernel");
  key.types = reader.text(json, "types");
  for (const auto &[name, size] : reader.object(json, "shape").items()) {
    if (!size.is_number_integer() || size < 0 || size > kMostOfKey ||
        name.size() > kMaxText)
      reader.fail("shape", "an object of sizes");
    else
      key.sizes.emplace_back(name, size.get<int64_t>());
  }
  return key;
}

static LockEntry readEntry(Reader &reader, const Json &json) {
  LockEntry entry;
  entry.key = readKey(reader, json);
  entry.choice = reader.text(json, "choice");
  for (const Json &row : reader.list(json, "times"))
    entry.times.push_back({reader.text(row, "choice"), reader.number(row, "us"),
                           reader.number(row, "spread")});
  return entry;
}

static LockTarget readTarget(Reader &reader, const Json &json) {
  LockTarget target;
  target.cpu = reader.text(json, "cpu");
  target.machine = reader.text(json, "machine");
  for (const Json &row : reader.list(json, "kernels"))
    target.entries.push_back(readEntry(reader, row));
  return target;
}

std::optional<Lock> parseLock(std::string_view text, std::string &error) {
  std::optional<Json> json = parseJsonObject<Json>(text);
  if (!json) {
    error = "it is no JSON object, or truncated";
    return std::nullopt;
  }
  Reader reader;
  if (reader.text(*json, "format") != kFormat ||
      reader.number(*json, "format_version") != kVersion)
    reader.fail("format", "that of a lock which this effc knows");
  Lock lock;
  const Json &compiler = reader.object(*json, "compiler");
  lock.compilerVersion = reader.text(compiler, "version");
  const Json &model = reader.object(*json, "model");
  lock.modelFile = reader.text(model, "file");
  lock.modelSha256 = reader.text(model, "sha256");
  for (const Json &target : reader.list(*json, "targets"))
    lock.targets.push_back(readTarget(reader, target));
  if (reader.isGood())
    return lock;
  error = reader.getError();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Three digits are more than measuring is good for.
static double roundTo(double value) { return std::round(value * 1e3) / 1e3; }

static Json describe(const LockEntry &entry) {
  Json shape = Json::object(), times = Json::array();
  for (const auto &[name, size] : entry.key.sizes)
    shape[name] = size;
  for (const LockTime &time : entry.times)
    times.push_back({{"choice", time.choice},
                     {"us", roundTo(time.microseconds)},
                     {"spread", roundTo(time.spread)}});
  return {{"kernel", entry.key.kernel},
          {"types", entry.key.types},
          {"shape", shape},
          {"choice", entry.choice},
          {"times", times}};
}

std::string printLock(const Lock &lock) {
  Json targets = Json::array();
  for (const LockTarget &target : lock.targets) {
    Json kernels = Json::array();
    for (const LockEntry &entry : target.entries)
      kernels.push_back(describe(entry));
    targets.push_back({{"cpu", target.cpu},
                       {"machine", target.machine},
                       {"kernels", kernels}});
  }
  Json json = {
      {"format", kFormat},
      {"format_version", kVersion},
      {"compiler", {{"name", "effc"}, {"version", lock.compilerVersion}}},
      {"model", {{"file", lock.modelFile}, {"sha256", lock.modelSha256}}},
      {"targets", targets}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

//===----------------------------------------------------------------------===//
// Use
//===----------------------------------------------------------------------===//

std::string findBadChoice(const LockTarget &lock, eff::TargetAttr target) {
  for (const LockEntry &entry : lock.entries) {
    std::vector<std::string> known = getCandidates(target, entry.key);
    if (known.empty())
      return "'" + entry.key.print() + "' is no kernel of this compiler";
    if (!llvm::is_contained(known, entry.choice))
      return "'" + entry.choice + "' is no way to compute '" +
             entry.key.print() + "'";
  }
  return "";
}

mlir::DictionaryAttr makeChoices(mlir::MLIRContext *context,
                                 const LockTarget &lock) {
  mlir::NamedAttrList choices;
  for (const LockEntry &entry : lock.entries)
    choices.set(entry.key.print(),
                mlir::StringAttr::get(context, entry.choice));
  return choices.getDictionary(context);
}

} // namespace effc
