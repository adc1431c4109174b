// Weights as an ELF object, written by hand (System V ABI, "Object Files"):
// an assembler or LLVM IR would hold gigabytes more than once.
#include "Objects.h"
#include "effc/Conversion/Packing.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
namespace ELF = llvm::ELF;

namespace effc {

LogicalResult writeWeights(const ModelTable &table, raw_ostream &os) {
  uint64_t written = 0;
  for (const WeightEntry &weight : table.weights) {
    os.write_zeros(weight.offset - written);
    uint64_t start = os.tell();
    auto error = [&] { return emitError(weight.loc) << "internal error: "; };
    LogicalResult result =
        weight.layout ? packPanel(weight.value, weight.layout,
                                  weight.elementType, os, error)
                      : writeDense(weight.value, weight.elementType, os, error);
    if (failed(result))
      return failure();
    if (os.tell() - start != weight.bytes)
      return error() << "constant has " << os.tell() - start
                     << " bytes, expected " << weight.bytes;
    written = weight.offset + weight.bytes;
  }
  return success();
}

namespace {

constexpr uint64_t kPage = 4096;

/// Names in a string table.
struct StringTable {
  std::string bytes = std::string(1, '\0');
  uint32_t add(StringRef name) {
    uint32_t offset = bytes.size();
    bytes += name;
    bytes += '\0';
    return offset;
  }
};

template <typename T> void writeStruct(raw_ostream &os, const T &value) {
  os.write(reinterpret_cast<const char *>(&value), sizeof(value));
}

} // namespace

static ELF::Elf64_Ehdr makeFileHeader(const llvm::Triple &triple,
                                      uint64_t sectionHeaders) {
  ELF::Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine = triple.isAArch64() ? ELF::EM_AARCH64 : ELF::EM_X86_64;
  header.e_version = ELF::EV_CURRENT;
  header.e_ehsize = sizeof(ELF::Elf64_Ehdr);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shoff = sectionHeaders;
  header.e_shnum = 6;
  header.e_shstrndx = 4;
  return header;
}

LogicalResult writeWeightsObject(const ModelTable &table,
                                 const llvm::Triple &triple, raw_ostream &os) {
  StringTable names, symbolNames;
  ELF::Elf64_Shdr sections[6] = {};
  auto describe = [&](unsigned index, StringRef name, uint32_t type,
                      uint64_t offset, uint64_t size, uint64_t align) {
    ELF::Elf64_Shdr &section = sections[index];
    section.sh_name = names.add(name);
    section.sh_type = type;
    section.sh_offset = offset;
    section.sh_size = size;
    section.sh_addralign = align;
  };
  ELF::Elf64_Sym symbols[2] = {};
  symbols[1].st_name = symbolNames.add(ModelSymbols(table.name).weights);
  symbols[1].setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
  symbols[1].st_other = ELF::STV_HIDDEN;
  symbols[1].st_shndx = 1;
  symbols[1].st_size = table.weightsSize;

  uint64_t end = kPage + table.weightsSize;
  describe(1, ".effc_weights", ELF::SHT_PROGBITS, kPage, table.weightsSize,
           kPage);
  sections[1].sh_flags = ELF::SHF_ALLOC;
  // Code may not reach across more than 2 GiB; the flag moves the section out
  // of the way.
  if (triple.isX86() && table.weightsSize > (1ull << 30))
    sections[1].sh_flags |= ELF::SHF_X86_64_LARGE;
  uint64_t symbolOffset = llvm::alignTo(end, 8);
  describe(2, ".symtab", ELF::SHT_SYMTAB, symbolOffset, sizeof(symbols), 8);
  sections[2].sh_link = 3;
  sections[2].sh_info = 1;
  sections[2].sh_entsize = sizeof(ELF::Elf64_Sym);
  end = symbolOffset + sizeof(symbols);
  describe(3, ".strtab", ELF::SHT_STRTAB, end, symbolNames.bytes.size(), 1);
  end += symbolNames.bytes.size();
  describe(5, ".note.GNU-stack", ELF::SHT_PROGBITS, end, 0, 1);
  describe(4, ".shstrtab", ELF::SHT_STRTAB, end, 0, 1);
  sections[4].sh_size = names.bytes.size();
  end += names.bytes.size();
  uint64_t headers = llvm::alignTo(end, 8);

  uint64_t start = os.tell();
  writeStruct(os, makeFileHeader(triple, headers));
  os.write_zeros(kPage - sizeof(ELF::Elf64_Ehdr));
  if (failed(writeWeights(table, os)))
    return failure();
  os.write_zeros(symbolOffset - (os.tell() - start));
  writeStruct(os, symbols);
  os << symbolNames.bytes << names.bytes;
  os.write_zeros(headers - end);
  writeStruct(os, sections);
  return success();
}

} // namespace effc
