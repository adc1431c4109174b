// The wire format (protobuf.dev, "Encoding") needs no schema to be walked, but
// for which fields are messages and which are names (onnx-ml.proto).
#include "ModelLimits.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace effc {

/// Nodes, values, attributes, tensors and their kin together. The largest
/// models have some hundred thousand.
static constexpr int64_t maxParts = 16 << 20;
static constexpr uint64_t maxNameBytes = 64 << 10;
/// As protobuf's own, which reports deeper ones.
static constexpr int maxDepth = 100;

namespace {

enum class Message {
  None,
  Model,
  Graph,
  Node,
  Attribute,
  Function,
  Tensor,
  Sparse,
  ValueInfo,
  Type,
  Training,
  /// Nothing nested that matters.
  Other,
  /// Everything nested counts.
  Any
};

struct FieldRule {
  Message owner;
  unsigned field;
  Message kind;
  bool isName;
};

constexpr FieldRule rules[] = {
    {Message::Model, 7, Message::Graph, false},
    {Message::Model, 8, Message::Other, false},
    {Message::Model, 14, Message::Other, false},
    {Message::Model, 20, Message::Training, false},
    {Message::Model, 25, Message::Function, false},
    {Message::Model, 26, Message::Any, false},
    {Message::Training, 1, Message::Graph, false},
    {Message::Training, 2, Message::Graph, false},
    {Message::Training, 3, Message::Other, false},
    {Message::Training, 4, Message::Other, false},
    {Message::Graph, 1, Message::Node, false},
    {Message::Graph, 2, Message::None, true},
    {Message::Graph, 5, Message::Tensor, false},
    {Message::Graph, 11, Message::ValueInfo, false},
    {Message::Graph, 12, Message::ValueInfo, false},
    {Message::Graph, 13, Message::ValueInfo, false},
    {Message::Graph, 14, Message::Any, false},
    {Message::Graph, 15, Message::Sparse, false},
    {Message::Graph, 16, Message::Other, false},
    {Message::Node, 1, Message::None, true},
    {Message::Node, 2, Message::None, true},
    {Message::Node, 3, Message::None, true},
    {Message::Node, 4, Message::None, true},
    {Message::Node, 5, Message::Attribute, false},
    {Message::Node, 7, Message::None, true},
    {Message::Node, 8, Message::None, true},
    {Message::Node, 9, Message::Other, false},
    {Message::Node, 10, Message::Any, false},
    {Message::Attribute, 1, Message::None, true},
    {Message::Attribute, 5, Message::Tensor, false},
    {Message::Attribute, 6, Message::Graph, false},
    {Message::Attribute, 9, Message::Other, false},
    {Message::Attribute, 10, Message::Tensor, false},
    {Message::Attribute, 11, Message::Graph, false},
    {Message::Attribute, 14, Message::Type, false},
    {Message::Attribute, 15, Message::Type, false},
    {Message::Attribute, 21, Message::None, true},
    {Message::Attribute, 22, Message::Sparse, false},
    {Message::Attribute, 23, Message::Sparse, false},
    {Message::Function, 1, Message::None, true},
    {Message::Function, 4, Message::None, true},
    {Message::Function, 5, Message::None, true},
    {Message::Function, 6, Message::None, true},
    {Message::Function, 7, Message::Node, false},
    {Message::Function, 9, Message::Other, false},
    {Message::Function, 10, Message::None, true},
    {Message::Function, 11, Message::Attribute, false},
    {Message::Function, 12, Message::ValueInfo, false},
    {Message::Function, 13, Message::None, true},
    {Message::Function, 14, Message::Other, false},
    {Message::Tensor, 6, Message::Other, false},
    {Message::Tensor, 8, Message::None, true},
    {Message::Tensor, 13, Message::Other, false},
    {Message::Tensor, 16, Message::Other, false},
    {Message::Sparse, 1, Message::Tensor, false},
    {Message::Sparse, 2, Message::Tensor, false},
    {Message::ValueInfo, 1, Message::None, true},
    {Message::ValueInfo, 2, Message::Type, false},
    {Message::ValueInfo, 4, Message::Other, false},
    // Types hold types, shapes and dimensions: every field is counted.
    {Message::Type, 1, Message::Type, false},
    {Message::Type, 2, Message::Type, false},
    {Message::Type, 4, Message::Type, false},
    {Message::Type, 5, Message::Type, false},
    {Message::Type, 8, Message::Type, false},
    {Message::Type, 9, Message::Type, false},
};

const FieldRule *findRule(Message owner, uint64_t field) {
  static constexpr FieldRule any = {Message::Any, 0, Message::Any, false};
  if (owner == Message::Any)
    return &any;
  for (const FieldRule &rule : rules)
    if (rule.owner == owner && rule.field == field)
      return &rule;
  return nullptr;
}

class Scanner {
public:
  explicit Scanner(std::string &reason) : reason(reason) {}

  /// False when a limit is exceeded; damage ends the walk.
  bool walk(ArrayRef<char> bytes, Message owner, int depth);

private:
  bool enter(ArrayRef<char> part, const FieldRule &rule, int depth);
  static bool readVarint(ArrayRef<char> &bytes, uint64_t &value);

  std::string &reason;
  int64_t parts = 0;
};

} // namespace

bool Scanner::readVarint(ArrayRef<char> &bytes, uint64_t &value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    auto byte = uint8_t(bytes.front());
    bytes = bytes.drop_front();
    value |= uint64_t(byte & 127) << shift;
    if (!(byte & 128))
      return true;
  }
  return false;
}

bool Scanner::enter(ArrayRef<char> part, const FieldRule &rule, int depth) {
  if (++parts > maxParts) {
    reason = "more than " + std::to_string(maxParts) +
             " nodes, values and other parts; no model has so many";
    return false;
  }
  if (rule.isName && part.size() > maxNameBytes) {
    reason = "a name of " + std::to_string(part.size()) + " bytes, at most " +
             std::to_string(maxNameBytes) +
             " are supported; give shorter names";
    return false;
  }
  if (rule.kind == Message::None || rule.kind == Message::Other ||
      depth >= maxDepth)
    return true;
  return walk(part, rule.kind, depth + 1);
}

bool Scanner::walk(ArrayRef<char> bytes, Message owner, int depth) {
  while (!bytes.empty()) {
    uint64_t tag, size = 0;
    if (!readVarint(bytes, tag))
      return true;
    switch (tag & 7) {
    case 0:
      if (!readVarint(bytes, size))
        return true;
      continue;
    case 1:
      size = 8;
      break;
    case 2:
      if (!readVarint(bytes, size))
        return true;
      break;
    case 5:
      size = 4;
      break;
    default:
      // Groups: ONNX has none, protobuf skips them.
      return true;
    }
    if (size > bytes.size())
      return true;
    const FieldRule *rule =
        (tag & 7) == 2 ? findRule(owner, tag >> 3) : nullptr;
    if (rule && !enter(bytes.take_front(size), *rule, depth))
      return false;
    bytes = bytes.drop_front(size);
  }
  return true;
}

bool checkModelLimits(ArrayRef<char> bytes, std::string &reason) {
  return Scanner(reason).walk(bytes, Message::Model, 0);
}

bool hasTooManyElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    if (size > 0 &&
        (llvm::MulOverflow(count, size, count) || count > (int64_t(1) << 48)))
      return true;
  return false;
}

} // namespace effc
