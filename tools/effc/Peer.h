// Another inference engine in a process of its own, which runs peer.py.
#ifndef EFFC_TOOLS_EFFC_PEER_H
#define EFFC_TOOLS_EFFC_PEER_H

#include "effc/Support/Npy.h"
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace effc::tool {

struct PeerOptions {
  std::string python;
  int threads = 1;
  double timeout = 300; ///< seconds for one answer
  /// A folder for files of the peers; holds inputs.npz.
  std::string folder;
  /// Outputs, and states after a run, that the library computes.
  std::vector<std::string> names;
  /// The library is made for the sizes of these inputs.
  bool fixed = false;
};

class Peer {
public:
  /// `place` names its files among those of other peers.
  Peer(std::string engine, std::string model, const std::string &place,
       const PeerOptions &options)
      : engine(std::move(engine)), model(std::move(model)), options(options),
        base(options.folder + "/" + place) {}
  Peer(const Peer &) = delete;
  Peer &operator=(const Peer &) = delete;
  ~Peer() { end(); }

  /// Starts the process, which loads the model and runs it once; what it says
  /// of that, or nothing after an error.
  std::optional<nlohmann::json> start();

  /// The outputs of the first run.
  std::optional<NpzArrays> readOutputs();

  /// Milliseconds of each run in a turn; empty after an error.
  std::vector<double> takeTurn(double seconds, double warmSeconds);

  /// Why the engine is out; empty while it is not.
  const std::string &getError() const { return error; }

private:
  bool launch(const std::string &request);
  std::optional<nlohmann::json> receive();
  std::optional<std::string> readLine();
  /// Ends the process and gives "exit code 1: its last words".
  std::string end();
  /// Ends the process; `why` is the error.
  void drop(const std::string &why);
  std::string getLastWords() const;

  std::string engine, model;
  const PeerOptions &options;
  std::string base, error, buffer;
  pid_t child = -1;
  int channel = -1;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_PEER_H
