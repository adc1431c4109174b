// One test for each published hole in how ONNX files are read, named after it:
// the file is refused, and the message says where, why and what to do. The list
// is in docs/hostile-input.md.
#include "HostileModel.h"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

/// A folder with a model's files, and one beside it that no model may read.
class Cve : public testing::Test {
protected:
  Cve()
      : root(fs::temp_directory_path() /
             ("effc-cve-" + std::to_string(getpid()))) {
    fs::remove_all(root);
    fs::create_directories(root / "model" / "sub");
    fs::create_directories(root / "secret");
    write(root / "secret" / "key", std::string(16, 's'));
    write(root / "model" / "good.bin", std::string(16, 'g'));
  }
  ~Cve() override { fs::remove_all(root); }

  static void write(const fs::path &path, const std::string &bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  /// The base model with its weight in another file.
  static onnx::ModelProto makeExternal(
      const std::string &location,
      const std::vector<std::pair<std::string, std::string>> &extra = {}) {
    onnx::ModelProto model = makeModel();
    onnx::TensorProto *weight = model.mutable_graph()->mutable_initializer(0);
    weight->clear_raw_data();
    weight->set_data_location(onnx::TensorProto::EXTERNAL);
    auto add = [&](const std::string &key, const std::string &value) {
      onnx::StringStringEntryProto *entry = weight->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", location);
    for (const auto &[key, value] : extra)
      add(key, value);
    return model;
  }

  void expectRefused(const onnx::ModelProto &model, const std::string &text) {
    expectError(model, text, (root / "model").string());
    // File, node, operator.
    expectError(model,
                "test.onnx: error: node 'Add#0' (Add, opset 17): initializer "
                "'w': ",
                (root / "model").string());
  }

  fs::path root;
};

TEST_F(Cve, TakesAPlainFile) {
  Outcome outcome = importBytes(makeExternal("good.bin").SerializeAsString(),
                                (root / "model").string());
  EXPECT_TRUE(outcome.imported) << outcome.messages;
}

// `../` in a location reads any file.
TEST_F(Cve, CVE_2022_25882) {
  for (const char *location :
       {"../secret/key", "sub/../../secret/key", "..", "sub/.."})
    expectRefused(makeExternal(location),
                  "the location is not a plain relative path; put the file "
                  "below the model's folder");
  expectRefused(makeExternal((root / "secret/key").string()),
                "not a plain relative path");
  expectRefused(makeExternal(""), "not a plain relative path");
}

// The first mend looked at the beginning of the path only.
TEST_F(Cve, CVE_2024_27318) {
  for (const char *location :
       {"a/../../secret/key", "sub/./../../secret/key", "./../secret/key",
        "sub//..//..//secret/key", "sub\\..\\..\\secret\\key"})
    expectRefused(makeExternal(location), "not a plain relative path");
  expectRefused(makeExternal(std::string("good.bin\0/../../secret/key", 26)),
                "not a plain relative path");
}

// A symbolic link leads out of the folder.
TEST_F(Cve, CVE_2026_27489) {
  fs::create_symlink(root / "secret/key", root / "model/link");
  fs::create_symlink("good.bin", root / "model/inner");
  for (const char *location : {"link", "inner"})
    expectRefused(makeExternal(location),
                  "it is a link or lies outside of the model's folder; copy "
                  "the file there, or name a trusted folder with "
                  "--external-data-dir");
  // What the message offers works.
  effc::ImportOptions options;
  options.externalDataDir = (root / "model").string();
  Outcome outcome = importBytes(makeExternal("link").SerializeAsString(),
                                "/nonexistent", options);
  EXPECT_TRUE(outcome.imported) << outcome.messages;
}

// The link is a folder on the way.
TEST_F(Cve, CVE_2026_34447) {
  fs::create_directory_symlink(root / "secret", root / "model/sub/way");
  expectRefused(makeExternal("sub/way/key"), "it is a link or lies outside");
}

// A hard link is the file itself, so only its count tells.
TEST_F(Cve, CVE_2026_34446) {
  fs::create_hard_link(root / "secret/key", root / "model/hard");
  expectRefused(makeExternal("hard"), "the file has more than one hard link; "
                                      "copy it, or name its folder as trusted");
}

// Keys of external_data set attributes of the reader's object; offset and
// length were not checked.
TEST_F(Cve, CVE_2026_34445_GHSA_538c_55jv_c5g9) {
  // Unknown keys mean nothing.
  for (const char *key : {"checksum", "__class__", "basepath", "trusted"}) {
    Outcome outcome =
        importBytes(makeExternal("good.bin", {{key, "1"}}).SerializeAsString(),
                    (root / "model").string());
    EXPECT_TRUE(outcome.imported) << key << ": " << outcome.messages;
  }
  for (const char *value : {"-1", "0x10", "1e3", " 0", "",
                            "18446744073709551616", "9999999999999999999999"}) {
    expectRefused(makeExternal("good.bin", {{"offset", value}}),
                  std::string("bad offset '") + value + "'");
    expectRefused(makeExternal("good.bin", {{"length", value}}),
                  std::string("bad length '") + value + "'");
  }
  expectRefused(makeExternal("good.bin", {{"length", "17"}}),
                "length 17 where the type needs 16 bytes");
  expectRefused(makeExternal("good.bin", {{"offset", "18446744073709551615"}}),
                "lie outside of 'good.bin' (16 bytes)");
}

// Reads beyond the end of the external file.
TEST_F(Cve, CVE_2024_27319) {
  expectRefused(makeExternal("good.bin", {{"offset", "1"}}),
                "bytes 1 + 16 lie outside of 'good.bin' (16 bytes)");
  write(root / "model/short.bin", std::string(15, 'g'));
  expectRefused(makeExternal("short.bin"), "lie outside of 'short.bin'");
  write(root / "model/empty.bin", "");
  expectRefused(makeExternal("empty.bin"), "lie outside of 'empty.bin'");
}

TEST_F(Cve, RefusesWhatIsNoFile) {
  expectRefused(makeExternal("sub"), "it is not a regular file");
  // Opening a pipe must not wait for a writer.
  ASSERT_EQ(mkfifo((root / "model/pipe").c_str(), 0600), 0);
  expectRefused(makeExternal("pipe"), "it is not a regular file");
  expectRefused(makeExternal("absent.bin"), "No such file");
  expectRefused(makeExternal(std::string(100000, 'x')), "File name too long");
}

/// A function whose only node, perhaps inside an If, calls `callee`.
void addCaller(onnx::ModelProto &model, const std::string &name,
               const std::string &callee, bool inBranch) {
  onnx::FunctionProto *function = model.add_functions();
  function->set_name(name);
  function->set_domain("local");
  function->add_input("a");
  function->add_output("b");
  for (const char *domain : {"local", ""}) {
    onnx::OperatorSetIdProto *opset = function->add_opset_import();
    opset->set_domain(domain);
    opset->set_version(17);
  }
  auto call = [&](onnx::NodeProto *node, const char *output) {
    node->set_op_type(callee);
    node->set_domain("local");
    node->add_input("a");
    node->add_output(output);
  };
  if (!inBranch)
    return call(function->add_node(), "b");
  onnx::NodeProto *branch = function->add_node();
  branch->set_op_type("If");
  branch->add_input("yes");
  branch->add_output("b");
  onnx::NodeProto *condition = function->add_node();
  condition->set_op_type("Constant");
  condition->add_output("yes");
  onnx::AttributeProto *value = condition->add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  value->mutable_t()->set_data_type(onnx::TensorProto::BOOL);
  value->mutable_t()->add_int32_data(1);
  for (const char *side : {"then_branch", "else_branch"}) {
    onnx::AttributeProto *body = branch->add_attribute();
    body->set_name(side);
    body->set_type(onnx::AttributeProto::GRAPH);
    call(body->mutable_g()->add_node(), "c");
    body->mutable_g()->add_output()->set_name("c");
  }
}

// Functions that call each other in a circle overflow the stack.
TEST_F(Cve, GHSA_7w46_vvrh_m8q5) {
  for (bool inBranch : {false, true})
    for (int length : {1, 2, 50}) {
      onnx::ModelProto model = makeModel();
      onnx::OperatorSetIdProto *opset = model.add_opset_import();
      opset->set_domain("local");
      opset->set_version(1);
      for (int i = 0; i < length; ++i)
        addCaller(model, "f" + std::to_string(i),
                  "f" + std::to_string((i + 1) % length), inBranch);
      onnx::NodeProto *node = model.mutable_graph()->mutable_node(1);
      node->set_op_type("f0");
      node->set_domain("local");
      expectError(model, "calls itself");
    }
}

// raw_data shorter or longer than dims say overflows the heap.
TEST_F(Cve, RawDataOverflow_PR_8109) {
  for (size_t size : {0, 1, 15, 17, 1000}) {
    onnx::ModelProto model = makeModel();
    model.mutable_graph()->mutable_initializer(0)->set_raw_data(
        std::string(size, '\1'));
    expectRefused(model, "payload of " + std::to_string(size) +
                             " bytes where dims and type need 16");
  }
  onnx::ModelProto model = makeModel();
  model.mutable_graph()->mutable_initializer(0)->add_float_data(1);
  expectRefused(model, "both raw_data and a typed field hold data");
  // A product that wraps to 16 bytes.
  model = makeModel();
  onnx::TensorProto *weight = model.mutable_graph()->mutable_initializer(0);
  weight->set_dims(0, (int64_t(1) << 62) + 1);
  weight->add_dims(4);
  expectRefused(model, "more than 2^48 elements");
}

} // namespace
