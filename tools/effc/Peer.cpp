// Lines of JSON over a pair of sockets. Whatever a peer does (crash, hang,
// write nonsense), it is an error with a reason and no fault of the caller's.
#include "Peer.h"
#include "Format.h"
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace effc::tool {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

/// The text of peer.py.
static const char peerScript[] =
#include "PeerScript.inc"
    ;

/// The peer's end of the channel.
constexpr int peerChannel = 3;

/// In the child: never returns.
[[noreturn]] static void become(int channel, int log, char *const *arguments) {
  // Nobody would end the peer when effc is killed.
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)setpgid(0, 0);
  // Out of the way of the numbers that follow.
  channel = fcntl(channel, F_DUPFD, 10);
  log = fcntl(log, F_DUPFD, 10);
  int nothing = open("/dev/null", O_RDONLY);
  (void)dup2(nothing, 0);
  (void)dup2(log, 1);
  (void)dup2(log, 2);
  (void)dup2(channel, peerChannel);
  for (int file = peerChannel + 1; file < 256; ++file)
    (void)close(file);
  execvp(arguments[0], arguments);
  dprintf(2, "cannot start '%s': %s\n", arguments[0], std::strerror(errno));
  _exit(127);
}

bool Peer::launch(const std::string &request) {
  // Its folder comes first where Python looks for packages: no engine's name.
  std::string script = options.folder + "/effc_peer.py", log = base + ".log";
  std::ofstream(script) << peerScript;
  std::ofstream(base + ".json") << request;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
    error = std::strerror(errno);
    return false;
  }
  int logFile =
      open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  std::vector<std::string> words = {
      options.python, script, std::to_string(peerChannel), base + ".json"};
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  child = fork();
  if (child == 0)
    become(ends[1], logFile, arguments.data());
  else if (child > 0)
    (void)setpgid(child, child);
  (void)close(ends[1]);
  (void)close(logFile);
  channel = ends[0];
  if (child < 0)
    drop(std::string("cannot start a process: ") + std::strerror(errno));
  return child > 0;
}

std::optional<json> Peer::start() {
  json request = {
      {"engine", engine},           {"model", model},
      {"threads", options.threads}, {"inputs", options.folder + "/inputs.npz"},
      {"names", options.names},     {"fixed", options.fixed},
      {"outputs", base + ".npz"}};
  if (!launch(request.dump(-1, ' ', false, json::error_handler_t::replace)))
    return std::nullopt;
  auto answer = receive();
  if (!answer)
    return std::nullopt;
  for (const char *key : {"open_ms", "first_run_ms", "rss_mb"})
    if (!answer->contains(key) || !(*answer)[key].is_number()) {
      drop("its answer makes no sense: " + answer->dump());
      return std::nullopt;
    }
  return answer;
}

std::optional<NpzArrays> Peer::readOutputs() {
  std::string why;
  auto outputs = readNpz(base + ".npz", why);
  if (!outputs)
    drop(why);
  return outputs;
}

std::vector<double> Peer::takeTurn(double seconds, double warmSeconds) {
  json request = {{"seconds", seconds}, {"warm_seconds", warmSeconds}};
  std::string line = request.dump() + "\n";
  if (send(channel, line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    drop("it is gone: " + end());
    return {};
  }
  auto answer = receive();
  if (!answer)
    return {};
  json times = answer->value("times_ms", json());
  std::vector<double> result;
  for (const json &time : times)
    if (time.is_number() && time.get<double>() > 0)
      result.push_back(time.get<double>());
  if (result.empty() || result.size() != times.size()) {
    drop("its answer makes no sense: " + answer->dump().substr(0, 100));
    return {};
  }
  return result;
}

/// For a message on one line.
static std::string makePrintable(std::string text) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 32 || c == 127)
      c = ' ';
  return text.size() > 300 ? text.substr(0, 300) + "..." : text;
}

std::optional<json> Peer::receive() {
  auto line = readLine();
  if (!line)
    return std::nullopt;
  json answer = json::parse(*line, nullptr, /*allow_exceptions=*/false);
  if (!answer.is_object()) {
    drop("its answer makes no sense: " + makePrintable(*line));
    return std::nullopt;
  }
  if (answer.contains("error")) {
    const json &why = answer["error"];
    drop(makePrintable(why.is_string() ? why.get<std::string>() : why.dump()));
    return std::nullopt;
  }
  return answer;
}

std::optional<std::string> Peer::readLine() {
  Clock::time_point start = Clock::now();
  while (true) {
    size_t length = buffer.find('\n');
    if (length != std::string::npos) {
      std::string line = buffer.substr(0, length);
      buffer.erase(0, length + 1);
      return line;
    }
    std::chrono::duration<double> waited = Clock::now() - start;
    double left = options.timeout - waited.count();
    pollfd wait = {channel, POLLIN, 0};
    int ready = left > 0 ? poll(&wait, 1, int(std::ceil(left * 1000))) : 0;
    if (ready == 0) {
      drop(format("no answer within %g s", options.timeout));
      return std::nullopt;
    }
    char bytes[65536];
    ssize_t size = ready > 0 ? read(channel, bytes, sizeof(bytes)) : -1;
    if (size < 0 && errno == EINTR)
      continue;
    if (size <= 0) {
      drop(end());
      return std::nullopt;
    }
    buffer.append(bytes, static_cast<size_t>(size));
  }
}

std::string Peer::getLastWords() const {
  std::ifstream file(base + ".log");
  std::string last;
  for (std::string line; std::getline(file, line);)
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      last = line;
  return last.empty() ? "" : ": " + makePrintable(last);
}

std::string Peer::end() {
  if (channel >= 0)
    (void)close(channel);
  channel = -1;
  if (child < 0)
    return "";
  // One that closed its end is about to end by itself; its status says why.
  int status = 0;
  pid_t ended = 0;
  for (int i = 0; i < 100 && ended == 0; ++i) {
    ended = waitpid(child, &status, WNOHANG);
    if (ended == 0)
      (void)usleep(5000);
  }
  if (ended == 0)
    (void)kill(-child, SIGKILL);
  while (ended == 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  child = -1;
  if (WIFSIGNALED(status))
    return format("ended by signal %d (%s)", WTERMSIG(status),
                  strsignal(WTERMSIG(status))) +
           getLastWords();
  return format("ended with exit code %d", WEXITSTATUS(status)) +
         getLastWords();
}

void Peer::drop(const std::string &why) {
  error = why;
  if (child > 0)
    (void)kill(-child, SIGKILL);
  (void)end();
}

} // namespace effc::tool
