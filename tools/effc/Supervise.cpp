// fork before anything has started a thread; the note lives in shared memory.
#include "Supervise.h"
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace effc::tool {

void StageNote::set(const std::string &stage) {
  std::snprintf(text, sizeof(text), "%s", stage.c_str());
}

/// OutputFolder names its folders .effc-PID-XXXXXX.
static void removeLeftovers(const std::filesystem::path &folder, pid_t child,
                            bool existed) {
  std::error_code code;
  std::string prefix = ".effc-" + std::to_string(child) + "-";
  for (const auto &entry : std::filesystem::directory_iterator(folder, code))
    if (entry.path().filename().string().rfind(prefix, 0) == 0)
      std::filesystem::remove_all(entry.path(), code);
  // Fails, as it should, unless it is empty.
  if (!existed)
    (void)rmdir(folder.c_str());
}

static std::string getCommandLine() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  for (char &c : text)
    if (c == 0)
      c = ' ';
  return text;
}

static int reportCrash(const Console &console, int signal,
                       const StageNote &note) {
  std::string stage = note.text[0] ? note.text : "start";
  std::string path =
      (std::filesystem::temp_directory_path() / "effc-crash-XXXXXX").string();
  int file = mkstemp(path.data());
  std::string text = "command: " + getCommandLine() + "\nstage: " + stage +
                     "\nsignal: " + strsignal(signal) + "\n";
  bool written = file >= 0 && write(file, text.data(), text.size()) ==
                                  static_cast<ssize_t>(text.size());
  if (file >= 0)
    (void)close(file);
  std::string remedy =
      written
          ? "please report it with '" + path + "' and, if you can, the model"
          : "please report it with the command and, if you can, the model";
  if (signal == SIGKILL)
    remedy += "; the system may have run out of memory";
  console.fail("internal error in stage " + stage + ": " + strsignal(signal),
               remedy + "; --stop-after=" + stage +
                   " and --save-stages show "
                   "how far it came",
               DiagnosticCode::Crashed);
  return ExitInternal;
}

/// For the signal handler alone.
static volatile pid_t supervisedChild = 0;

static volatile sig_atomic_t receivedSignal = 0;

static void forwardSignal(int signal) {
  receivedSignal = signal;
  if (supervisedChild > 0)
    (void)kill(supervisedChild, SIGTERM);
}

/// Waits for the child; an interrupt or a termination ends it first, so that
/// the parent can clean up behind it.
static int waitFor(pid_t child) {
  supervisedChild = child;
  const int signals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction forward = {}, before[3] = {};
  forward.sa_handler = forwardSignal;
  for (int i = 0; i < 3; ++i)
    sigaction(signals[i], &forward, &before[i]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  for (int i = 0; i < 3; ++i)
    sigaction(signals[i], &before[i], nullptr);
  return status;
}

int runSupervised(const Console &console, const std::string &outputDir,
                  const std::function<int(StageNote &)> &work) {
  void *shared = mmap(nullptr, sizeof(StageNote), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    return console.fail("out of memory", "", DiagnosticCode::OutOfMemory);
  StageNote &note = *static_cast<StageNote *>(shared);
  std::filesystem::path folder = outputDir.empty() ? "." : outputDir;
  std::error_code code;
  bool existed = std::filesystem::exists(folder, code);
  std::fflush(nullptr);
  pid_t child = fork();
  if (child < 0)
    return console.fail(std::string("cannot start a process: ") +
                            std::strerror(errno),
                        "", DiagnosticCode::OutOfMemory);
  if (child == 0) {
    // Nobody would clean up behind a child whose parent was killed.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    int code = console.finish(work(note));
    // Destructors of the compiler's global state gain nothing here.
    _exit(code);
  }
  int status = waitFor(child);
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  removeLeftovers(folder, child, existed);
  int signal = WTERMSIG(status);
  if (receivedSignal)
    return 128 + receivedSignal;
  for (int outside : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
    if (signal == outside)
      return 128 + signal;
  return reportCrash(console, signal, note);
}

} // namespace effc::tool
