// Names that stand for something else than a tensor: sequences, whose lengths
// are known at import, optionals without an element, and what must not be read.
// None of them reaches the IR.
#include "Importer.h"
#include "NodeContext.h"

using namespace mlir;

namespace effc {

const ValueList *Importer::lookupList(const ImportScope &scope,
                                      StringRef name) const {
  for (const ImportScope *s = &scope; s; s = s->parent) {
    auto it = s->lists.find(name);
    if (it != s->lists.end())
      return &it->second;
    if (s->values.count(name) || s->poisoned.contains(name))
      return nullptr;
  }
  return nullptr;
}

bool Importer::forward(ImportScope &from, StringRef name, ImportScope &to,
                       StringRef alias) {
  if (const ValueList *list = lookupList(from, name)) {
    // A copy: the assignment may move what `list` points to.
    ValueList elements = *list;
    to.lists[alias] = std::move(elements);
    return true;
  }
  if (Value value = lookup(from, name)) {
    to.values[alias] = value;
    return true;
  }
  if (isAbsent(from, name)) {
    to.absent.insert(alias);
    return true;
  }
  for (ImportScope *s = &from; s; s = s->parent) {
    auto it = s->unreadable.find(name);
    if (it == s->unreadable.end())
      continue;
    std::string reason = it->second;
    to.unreadable[alias] = std::move(reason);
    return true;
  }
  return false;
}

/// Fails when nothing, or nothing readable, is known by the name; reports the
/// latter.
LogicalResult Importer::checkReadable(ImportScope &scope, StringRef name,
                                      Location loc) {
  if (isAbsent(scope, name) || lookupList(scope, name) || lookup(scope, name))
    return success();
  for (ImportScope *s = &scope; s; s = s->parent) {
    auto it = s->unreadable.find(name);
    if (it != s->unreadable.end())
      return error(loc, DiagnosticCode::UnsupportedForm)
             << "'" << name << "' is read: " << it->second;
  }
  return failure();
}

LogicalResult Importer::bindResults(ImportScope &scope,
                                    const onnx::NodeProto &node,
                                    NodeContext &ctx) {
  for (auto [i, result] : llvm::enumerate(ctx.outputs()))
    if (!result && ctx.outputUsed(i) && !ctx.nonTensor(i)) {
      (void)ctx.unsupported("output " + Twine(i) + " is not supported");
      poison(scope, node);
      return failure();
    }
  for (auto [i, name] : llvm::enumerate(node.output())) {
    if (name.empty())
      continue;
    const NonTensor *other = ctx.nonTensor(i);
    if (!other)
      scope.values[name] = ctx.outputs()[i];
    else if (other->list)
      scope.lists[name] = *other->list;
    else if (!other->unreadable.empty())
      scope.unreadable[name] = other->unreadable;
    else
      scope.absent.insert(name);
  }
  return success();
}

const ValueList *NodeContext::inputList(unsigned index) const {
  if (index >= numInputs() || node.input(index).empty())
    return nullptr;
  return importer.lookupList(scope, node.input(index));
}

bool NodeContext::readsLists() const {
  for (unsigned i = 0; i < numInputs(); ++i)
    if (inputList(i))
      return true;
  return false;
}

LogicalResult NodeContext::setOutput(unsigned index, NonTensor value) {
  if (value.list && llvm::is_contained(*value.list, Value()))
    return failure();
  nonTensors[index] = std::move(value);
  return success();
}

} // namespace effc
