// Field mutations through protobuf's reflection, after libprotobuf-mutator:
// numbers become ones that hurt, names are exchanged for other names of the
// model, operators for other operators, parts of the model are copied, removed
// and put elsewhere. What comes out parses, so that the fuzzer spends its time
// behind the parser; libFuzzer's own byte mutations are mixed in for its sake.
#include "onnx_fuzz.pb.h"

#include <cmath>
#include <google/protobuf/message.h>
#include <limits>
#include <random>

/// LLVM's headers poison memory that its libraries, not instrumented, use.
extern "C" const char *__asan_default_options() {
  return "allow_user_poisoning=0";
}
extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using namespace onnx_fuzz;

namespace {

struct AttributeSchema {
  const char *name;
  int type;
};
struct OperatorSchema {
  const char *domain, *name;
  std::vector<AttributeSchema> attributes;
};

const std::vector<OperatorSchema> &getSchemas() {
  static const std::vector<OperatorSchema> schemas = {
#include "Schemas.inc"
  };
  return schemas;
}

/// A field of a message of the model.
struct Place {
  Message *message;
  const FieldDescriptor *field;
};

class Mutator {
public:
  Mutator(ModelProto &model, unsigned seed) : model(model), random(seed) {}

  void mutate();
  void insertFrom(ModelProto &other);

private:
  size_t below(size_t count) { return random() % count; }
  bool oneIn(size_t count) { return below(count) == 0; }
  template <typename List> auto &pick(List &list) {
    return list[below(list.size())];
  }

  void collect(Message &message, int depth);
  int64_t makeInteger(int64_t old);
  double makeNumber(double old);
  std::string makeString(const Place &place, const std::string &old);
  void changeScalar(const Place &place, int index);
  void changeRepeated(const Place &place);
  void changeMessage(const Place &place);
  void copyOver(Message &target);
  void changeNode(NodeProto &node);
  void setAttribute(NodeProto &node, const AttributeSchema &schema);
  void change();

  ModelProto &model;
  std::mt19937 random;
  std::vector<Message *> messages;
  std::vector<NodeProto *> nodes;
  std::vector<Place> places;
  std::vector<std::string> names;
};

} // namespace

void Mutator::collect(Message &message, int depth) {
  messages.push_back(&message);
  if (auto *node = dynamic_cast<NodeProto *>(&message)) {
    nodes.push_back(node);
    for (const std::string &name : node->input())
      names.push_back(name);
    for (const std::string &name : node->output())
      names.push_back(name);
  }
  const Reflection &reflection = *message.GetReflection();
  std::vector<const FieldDescriptor *> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor *field : fields) {
    places.push_back({&message, field});
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || depth > 40)
      continue;
    if (!field->is_repeated())
      collect(*reflection.MutableMessage(&message, field), depth + 1);
    else
      for (int i = 0; i < reflection.FieldSize(message, field); ++i)
        collect(*reflection.MutableRepeatedMessage(&message, field, i),
                depth + 1);
  }
}

int64_t Mutator::makeInteger(int64_t old) {
  static const int64_t values[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   5,
                                   7,
                                   8,
                                   10,
                                   13,
                                   16,
                                   17,
                                   64,
                                   65,
                                   127,
                                   255,
                                   1024,
                                   4097,
                                   65536,
                                   int64_t(1) << 24,
                                   INT32_MAX,
                                   int64_t(1) << 31,
                                   int64_t(1) << 32,
                                   int64_t(1) << 40,
                                   int64_t(1) << 47,
                                   int64_t(1) << 62,
                                   INT64_MAX};
  switch (below(8)) {
  case 0:
    return int64_t(uint64_t(old) + 1);
  case 1:
    return int64_t(uint64_t(old) - 1);
  case 2:
    return int64_t(-uint64_t(old));
  case 3:
    return -int64_t(values[below(std::size(values))]);
  case 4:
    return oneIn(8) ? INT64_MIN : int64_t(random() % 32);
  default:
    // Mostly small: large numbers end most models early.
    return values[below(oneIn(3) ? std::size(values) : 12)];
  }
}

double Mutator::makeNumber(double old) {
  static const double values[] = {
      0.0,  -0.0, 1.0,   -1.0,  0.5,  2.0,  3.0,      1e-30,     1e-45,
      1e30, 1e38, 1e300, -1e30, 1e-7, -2.5, INFINITY, -INFINITY, NAN};
  return oneIn(4) ? old * 2 : values[below(std::size(values))];
}

std::string Mutator::makeString(const Place &place, const std::string &old) {
  bool isOperator = place.field->name() == "op_type";
  if (isOperator && !oneIn(8))
    return pick(getSchemas()).name;
  if (place.field->name() == "raw_data" || oneIn(10)) {
    std::vector<uint8_t> bytes(old.begin(), old.end());
    size_t room = old.size() + 64;
    bytes.resize(room);
    bytes.resize(LLVMFuzzerMutate(bytes.data(), old.size(), room));
    return std::string(bytes.begin(), bytes.end());
  }
  if (oneIn(12))
    return "";
  if (oneIn(20))
    return std::string(below(70000), 'x');
  if (!names.empty())
    return pick(names);
  return old;
}

void Mutator::changeScalar(const Place &place, int index) {
  auto [message, field] = place;
  const Reflection &r = *message->GetReflection();
#define CHANGE(kind, make)                                                     \
  if (index < 0) {                                                             \
    auto old = r.Get##kind(*message, field);                                   \
    r.Set##kind(message, field, make);                                         \
  } else {                                                                     \
    auto old = r.GetRepeated##kind(*message, field, index);                    \
    r.SetRepeated##kind(message, field, index, make);                          \
  }                                                                            \
  return
  switch (field->cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    // Element types are numbers of this type.
    CHANGE(Int32, oneIn(2) ? int32_t(below(30)) : int32_t(makeInteger(old)));
  case FieldDescriptor::CPPTYPE_INT64:
    CHANGE(Int64, makeInteger(old));
  case FieldDescriptor::CPPTYPE_UINT64:
    CHANGE(UInt64, uint64_t(makeInteger(int64_t(old))));
  case FieldDescriptor::CPPTYPE_FLOAT:
    CHANGE(Float, float(makeNumber(old)));
  case FieldDescriptor::CPPTYPE_DOUBLE:
    CHANGE(Double, makeNumber(old));
  case FieldDescriptor::CPPTYPE_STRING:
    CHANGE(String, makeString(place, old));
  case FieldDescriptor::CPPTYPE_ENUM: {
    const google::protobuf::EnumDescriptor &type = *field->enum_type();
    int value = type.value(below(type.value_count()))->number();
    if (index < 0)
      r.SetEnumValue(message, field, value);
    else
      r.SetRepeatedEnumValue(message, field, index, value);
    return;
  }
  default:
    return;
  }
#undef CHANGE
}

/// Another message of the model of the same type in the place of `target`.
void Mutator::copyOver(Message &target) {
  std::vector<Message *> others;
  for (Message *message : messages)
    if (message->GetDescriptor() == target.GetDescriptor() &&
        message != &target)
      others.push_back(message);
  if (others.empty())
    return;
  std::unique_ptr<Message> copy(target.New());
  copy->CopyFrom(*pick(others));
  if (copy->ByteSizeLong() < 100000)
    target.CopyFrom(*copy);
}

void Mutator::changeRepeated(const Place &place) {
  auto [message, field] = place;
  const Reflection &r = *message->GetReflection();
  int size = r.FieldSize(*message, field);
  if (size == 0)
    return;
  bool isMessage = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  switch (below(4)) {
  case 0:
    r.SwapElements(message, field, below(size), size - 1);
    r.RemoveLast(message, field);
    return;
  case 1:
    r.SwapElements(message, field, below(size), below(size));
    return;
  case 2:
    if (isMessage) {
      std::unique_ptr<Message> copy(
          r.GetRepeatedMessage(*message, field, 0).New());
      copy->CopyFrom(r.GetRepeatedMessage(*message, field, below(size)));
      r.AddAllocatedMessage(message, field, copy.release());
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      r.AddString(message, field, makeString(place, ""));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      r.AddInt64(message, field, makeInteger(1));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT) {
      r.AddFloat(message, field, float(makeNumber(1)));
    }
    return;
  default:
    if (isMessage)
      copyOver(*r.MutableRepeatedMessage(message, field, below(size)));
    else
      changeScalar(place, below(size));
  }
}

void Mutator::setAttribute(NodeProto &node, const AttributeSchema &schema) {
  AttributeProto *attribute = nullptr;
  for (AttributeProto &known : *node.mutable_attribute())
    if (known.name() == schema.name)
      attribute = &known;
  if (!attribute)
    attribute = node.add_attribute();
  attribute->set_name(schema.name);
  attribute->set_type(AttributeProto::AttributeType(schema.type));
  switch (schema.type) {
  case AttributeProto::INT:
    attribute->set_i(makeInteger(attribute->i()));
    break;
  case AttributeProto::FLOAT:
    attribute->set_f(float(makeNumber(attribute->f())));
    break;
  case AttributeProto::INTS:
    attribute->clear_ints();
    for (size_t i = below(6); i > 0; --i)
      attribute->add_ints(makeInteger(1));
    break;
  case AttributeProto::FLOATS:
    attribute->clear_floats();
    for (size_t i = below(4); i > 0; --i)
      attribute->add_floats(float(makeNumber(1)));
    break;
  case AttributeProto::STRING: {
    static const char *const words[] = {"",
                                        "none",
                                        "SAME_UPPER",
                                        "SAME_LOWER",
                                        "VALID",
                                        "constant",
                                        "reflect",
                                        "edge",
                                        "wrap",
                                        "linear",
                                        "nearest",
                                        "cubic",
                                        "mean",
                                        "sum",
                                        "tanh",
                                        "ij,jk->ik",
                                        "...i->i",
                                        "NOTSET",
                                        "add",
                                        "RIGHT",
                                        "align_corners",
                                        "bidirectional",
                                        "reverse"};
    attribute->set_s(words[below(std::size(words))]);
    break;
  }
  default:
    break;
  }
}

void Mutator::changeNode(NodeProto &node) {
  const OperatorSchema *schema = nullptr;
  for (const OperatorSchema &known : getSchemas())
    if (node.op_type() == known.name)
      schema = &known;
  switch (below(4)) {
  case 0: {
    const OperatorSchema &other = pick(getSchemas());
    node.set_op_type(other.name);
    node.set_domain(other.domain);
    node.clear_attribute();
    return;
  }
  case 1:
    if (node.input_size() > 0 && !names.empty())
      node.set_input(below(node.input_size()),
                     oneIn(6) ? std::string() : pick(names));
    return;
  default:
    if (schema && !schema->attributes.empty())
      setAttribute(node, pick(schema->attributes));
  }
}

void Mutator::changeMessage(const Place &place) {
  auto [message, field] = place;
  const Reflection &r = *message->GetReflection();
  if (oneIn(4))
    r.ClearField(message, field);
  else
    copyOver(*r.MutableMessage(message, field));
}

void Mutator::change() {
  messages.clear();
  nodes.clear();
  places.clear();
  names.clear();
  collect(model, 0);
  if (!nodes.empty() && oneIn(3))
    return changeNode(*pick(nodes));
  if (places.empty())
    return;
  Place &place = pick(places);
  if (place.field->is_repeated())
    changeRepeated(place);
  else if (place.field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
    changeMessage(place);
  else if (oneIn(16))
    place.message->GetReflection()->ClearField(place.message, place.field);
  else
    changeScalar(place, -1);
}

void Mutator::mutate() {
  for (size_t count = 1 + below(4); count > 0; --count)
    change();
}

/// A node of another model, with the initializers it reads.
void Mutator::insertFrom(ModelProto &other) {
  if (other.graph().node_size() == 0)
    return;
  const NodeProto &source =
      other.graph().node(below(other.graph().node_size()));
  GraphProto &graph = *model.mutable_graph();
  for (const std::string &name : source.input())
    for (const TensorProto &tensor : other.graph().initializer())
      if (tensor.name() == name)
        *graph.add_initializer() = tensor;
  collect(model, 0);
  NodeProto &node = *graph.add_node();
  node = source;
  if (node.input_size() > 0 && !names.empty())
    node.set_input(0, pick(names));
  // Read by nobody it would be dropped.
  if (graph.output_size() > 0 && node.output_size() > 0 && oneIn(2))
    graph.mutable_output(0)->set_name(node.output(0));
}

static bool parse(ModelProto &model, const uint8_t *data, size_t size) {
  google::protobuf::LogSilencer silence;
  return model.ParsePartialFromArray(data, int(size));
}

static size_t write(const ModelProto &model, uint8_t *data, size_t maxSize) {
  google::protobuf::LogSilencer silence;
  std::string text = model.SerializePartialAsString();
  if (text.size() > maxSize)
    return 0;
  std::copy(text.begin(), text.end(), data);
  return text.size();
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  ModelProto model;
  if (seed % 32 == 0 || !parse(model, data, size))
    return LLVMFuzzerMutate(data, size, maxSize);
  Mutator(model, seed).mutate();
  size_t written = write(model, data, maxSize);
  return written ? written : LLVMFuzzerMutate(data, size, maxSize);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1,
                                            const uint8_t *data2, size_t size2,
                                            uint8_t *out, size_t maxSize,
                                            unsigned seed) {
  ModelProto model, other;
  if (!parse(model, data1, size1) || !parse(other, data2, size2))
    return 0;
  Mutator(model, seed).insertFrom(other);
  return write(model, out, maxSize);
}
