// Pruning and a stable topological sort (Kahn): ONNX demands sorted graphs,
// yet some tools write others.
#include "GraphOrder.h"
#include "onnx/onnx-ml.pb.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <queue>

using namespace mlir;

namespace effc {

/// Names that a graph reads and does not define itself.
static void collectCaptures(const onnx::GraphProto &graph,
                            SmallVectorImpl<StringRef> &names) {
  llvm::StringSet<> defined;
  for (const auto &input : graph.input())
    defined.insert(input.name());
  for (const auto &tensor : graph.initializer())
    defined.insert(tensor.name());
  for (const auto &tensor : graph.sparse_initializer())
    defined.insert(tensor.values().name());
  SmallVector<StringRef> reads;
  for (const onnx::NodeProto &node : graph.node()) {
    collectReads(node, reads);
    for (const std::string &output : node.output())
      defined.insert(output);
  }
  for (const auto &output : graph.output())
    reads.push_back(output.name());
  for (StringRef name : reads)
    if (!name.empty() && !defined.contains(name))
      names.push_back(name);
}

void collectReads(const onnx::NodeProto &node,
                  SmallVectorImpl<StringRef> &names) {
  for (const std::string &input : node.input())
    if (!input.empty())
      names.push_back(input);
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (attribute.has_g())
      collectCaptures(attribute.g(), names);
    for (const onnx::GraphProto &graph : attribute.graphs())
      collectCaptures(graph, names);
  }
}

namespace {
/// One graph's nodes with who produces what.
class Sorter {
public:
  Sorter(const NodeList &nodes, function_ref<bool(StringRef)> isDefined,
         std::string &reason)
      : nodes(nodes), isDefined(isDefined), reason(reason), reads(nodes.size()),
        needed(nodes.size()) {}

  bool findProducers();
  bool markNeeded(ArrayRef<StringRef> outputs);
  std::optional<SmallVector<int>> sort();

private:
  std::string describe(int index) const {
    const onnx::NodeProto &node = nodes[index];
    return "node '" +
           (node.name().empty() ? node.op_type() + "#" + std::to_string(index)
                                : node.name()) +
           "'";
  }

  const NodeList &nodes;
  function_ref<bool(StringRef)> isDefined;
  std::string &reason;
  llvm::StringMap<int> producers;
  std::vector<SmallVector<StringRef>> reads;
  std::vector<bool> needed;
};
} // namespace

bool Sorter::findProducers() {
  for (auto [index, node] : llvm::enumerate(nodes)) {
    collectReads(node, reads[index]);
    for (const std::string &output : node.output()) {
      if (output.empty())
        continue;
      auto [it, isNew] = producers.try_emplace(output, index);
      // Optimisers appended constants of a used name; as elsewhere, the last
      // one counts.
      if (!isNew && node.op_type() == "Constant" &&
          nodes[it->second].op_type() == "Constant") {
        it->second = index;
        continue;
      }
      if (!isNew) {
        reason = "value '" + output + "' is produced twice, by " +
                 describe(producers[output]) + " and " + describe(index);
        return false;
      }
    }
  }
  return true;
}

bool Sorter::markNeeded(ArrayRef<StringRef> outputs) {
  SmallVector<int> pending;
  auto need = [&](StringRef name, int reader) {
    auto it = producers.find(name);
    if (it == producers.end()) {
      if (isDefined(name))
        return true;
      reason =
          "value '" + name.str() + "' is read by " +
          (reader < 0 ? std::string("the graph's outputs") : describe(reader)) +
          " but never defined";
      return false;
    }
    if (!needed[it->second]) {
      needed[it->second] = true;
      pending.push_back(it->second);
    }
    return true;
  };
  for (StringRef name : outputs)
    if (!need(name, -1))
      return false;
  while (!pending.empty()) {
    int index = pending.pop_back_val();
    for (StringRef name : reads[index])
      if (!need(name, index))
        return false;
  }
  return true;
}

std::optional<SmallVector<int>> Sorter::sort() {
  std::vector<SmallVector<int, 2>> readers(nodes.size());
  std::vector<int> missing(nodes.size());
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  size_t total = 0;
  for (int index = 0; index < nodes.size(); ++index) {
    if (!needed[index])
      continue;
    ++total;
    for (StringRef name : reads[index])
      if (auto it = producers.find(name); it != producers.end()) {
        readers[it->second].push_back(index);
        ++missing[index];
      }
    if (missing[index] == 0)
      ready.push(index);
  }
  SmallVector<int> order;
  while (!ready.empty()) {
    int index = ready.top();
    ready.pop();
    order.push_back(index);
    for (int reader : readers[index])
      if (--missing[reader] == 0)
        ready.push(reader);
  }
  if (order.size() == total)
    return order;
  reason = "the graph has a cycle through";
  int listed = 0;
  for (int index = 0; index < nodes.size() && listed < 8; ++index)
    if (needed[index] && missing[index] > 0)
      reason += (listed++ ? ", " : " ") + describe(index);
  return std::nullopt;
}

std::optional<SmallVector<int>>
orderNodes(const NodeList &nodes, ArrayRef<StringRef> outputs,
           function_ref<bool(StringRef)> isDefined, std::string &reason) {
  Sorter sorter(nodes, isDefined, reason);
  if (!sorter.findProducers() || !sorter.markNeeded(outputs))
    return std::nullopt;
  return sorter.sort();
}

} // namespace effc
