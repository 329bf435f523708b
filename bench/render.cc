// How fast recordings are drawn, beside libvterm alone on the same bytes.
//
//   bench_render [ROUNDS [FILE...]]
//
// Columns, MB of terminal output per second of processor time, medians of interleaved rounds:
//   state       libvterm's state layer, without callbacks: what decides where the cursor goes
//   vtscreen    with its own screen layer, which we do not use
//   screen      our Screen
//   transcript  with the lines that leave it taken (`opelog play`'s and `search`'s part of the work)
//   commands    with the typed lines, too (what `opelog index` does)
// and the ratio of `transcript` to `state`. libvterm 0.1.4 does not survive every input alone: a dash stands
// where it died. Without FILE the inputs are made here. Bytes are fed in pieces of 4 KiB, as a relay reads.
#include <sys/wait.h>
#include <unistd.h>
#include <vterm.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "replay/screen.h"
#include "replay/transcript.h"
#include "replay/typed_lines.h"

namespace {

using namespace opelog::replay;

constexpr int kRows = 24, kCols = 80;
constexpr std::size_t kPiece = 4096, kLeast = 8 << 20;

struct Input {
  std::string name, bytes;
};

std::string repeated(const std::function<std::string(std::mt19937&)>& unit) {
  std::mt19937 random(1);
  std::string bytes;
  while (bytes.size() < kLeast) bytes += unit(random);
  return bytes;
}

std::string words(std::mt19937& random, std::size_t size) {
  static constexpr std::array kWords = {"int",    "static",  "return", "if", "(value", "==",   "nullptr)",
                                        "size_t", "buffer;", "{",      "}",  "const",  "char*"};
  std::string text;
  while (text.size() < size) {
    text += kWords[random() % kWords.size()];
    text += ' ';
  }
  return text;
}

std::string source_line(std::mt19937& random) {
  if (random() % 8 == 0) return "\r\n";
  return std::string(random() % 3, '\t') + words(random, random() % 90) + "\r\n";
}

std::string diagnostic(std::mt19937& random) {
  return "\x1b[01m\x1b[Ksrc/relay.c:" + std::to_string(random() % 900) +
         ":12:\x1b[m\x1b[K \x1b[01;35m\x1b[Kwarning: \x1b[m\x1b[Kunused variable "
         "'\x1b[01m\x1b[Kcount\x1b[m\x1b[K' "
         "[\x1b[01;35m\x1b[K-Wunused\x1b[m\x1b[K]\r\n   12 |   " +
         words(random, 30) + "\r\n      |   \x1b[01;35m\x1b[K^~~~~\x1b[m\x1b[K\r\n";
}

// An editor: its region scrolls by a line, the line is drawn in colours, then the status line.
std::string editor(std::mt19937& random) {
  std::string bytes = "\x1b[?25l\x1b[1;23r\x1b[23;1H\n\x1b[1;24r\x1b[23;1H\x1b[38;5;130m" +
                      std::to_string(random() % 9000) + " \x1b[m";
  for (int i = 0; i < 4; ++i) bytes += "\x1b[32m" + words(random, 8) + "\x1b[m";
  return bytes + "\x1b[24;63H\x1b[K" + std::to_string(random() % 9000) + ",1\x1b[24;80H\x1b[23;1H\x1b[?25h";
}

std::string pager(std::mt19937& random) {
  return "\r\x1b[K" + words(random, random() % 70) + "\r\n:\x1b[K";
}

std::string japanese(std::mt19937& random) {
  static constexpr std::array kWords = {"日本語の", "記録を", "端末に", "表示する。", "カタカナ", "ファイル"};
  std::string text;
  for (std::size_t i = 0; i < 2 + random() % 8; ++i) text += kWords[random() % kWords.size()];
  return text + "\r\n";
}

std::string noise(std::mt19937& random) {
  return {static_cast<char>(random())};
}

std::vector<Input> made() {
  return {{"sources", repeated(source_line)}, {"compiler", repeated(diagnostic)},
          {"editor", repeated(editor)},       {"pager", repeated(pager)},
          {"japanese", repeated(japanese)},   {"random", repeated(noise)}};
}

Input read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string once((std::istreambuf_iterator<char>(file)), {});
  if (once.empty()) {
    std::fprintf(stderr, "bench_render: nothing in %s\n", path.c_str());
    std::exit(1);
  }
  Input input{path.substr(path.rfind('/') + 1), once};
  while (input.bytes.size() < kLeast) input.bytes += once;
  return input;
}

void in_pieces(std::string_view bytes, const std::function<void(std::string_view, std::size_t)>& feed) {
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) feed(bytes.substr(at, kPiece), at);
}

void state(std::string_view bytes) {
  VTerm* vterm = vterm_new(kRows, kCols);
  vterm_set_utf8(vterm, 1);
  vterm_state_reset(vterm_obtain_state(vterm), 1);
  in_pieces(bytes, [&](std::string_view piece, std::size_t) {
    vterm_input_write(vterm, piece.data(), piece.size());
  });
  vterm_free(vterm);
}

void vtscreen(std::string_view bytes) {
  VTerm* vterm = vterm_new(kRows, kCols);
  vterm_set_utf8(vterm, 1);
  VTermScreen* screen = vterm_obtain_screen(vterm);
  vterm_screen_enable_altscreen(screen, 1);
  vterm_screen_set_damage_merge(screen, VTERM_DAMAGE_SCROLL);
  vterm_screen_reset(screen, 1);
  in_pieces(bytes, [&](std::string_view piece, std::size_t) {
    vterm_input_write(vterm, piece.data(), piece.size());
  });
  vterm_free(vterm);
}

void screen(std::string_view bytes) {
  Screen screen(kRows, kCols);
  in_pieces(bytes, [&](std::string_view piece, std::size_t at) { screen.feed(piece, 0, at); });
}

void transcript(std::string_view bytes) {
  Screen screen(kRows, kCols);
  Transcript transcript(screen);
  in_pieces(bytes, [&](std::string_view piece, std::size_t at) {
    screen.feed(piece, 0, at);
    transcript.take();
  });
}

void commands(std::string_view bytes) {
  Screen screen(kRows, kCols);
  Transcript transcript(screen);
  TypedLines typed(screen);
  in_pieces(bytes, [&](std::string_view piece, std::size_t at) {
    screen.feed(piece, 0, at);
    transcript.take();
    typed.take();
  });
}

struct Layer {
  const char* name;
  void (*draw)(std::string_view);
};

constexpr std::array kLayers = {Layer{"state", state}, Layer{"vtscreen", vtscreen}, Layer{"screen", screen},
                                Layer{"transcript", transcript}, Layer{"commands", commands}};

/// In a process of its own; 0 if it died.
double mb_per_second(const Layer& layer, std::string_view bytes) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return 0;
  const pid_t child = ::fork();
  if (child == 0) {
    const std::clock_t begin = std::clock();
    layer.draw(bytes);
    const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    const double rate = static_cast<double>(bytes.size()) / took / 1e6;
    ::_exit(::write(ends[1], &rate, sizeof rate) == sizeof rate ? 0 : 1);
  }
  ::close(ends[1]);
  double rate = 0;
  if (::read(ends[0], &rate, sizeof rate) != sizeof rate) rate = 0;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return rate;
}

double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of[of.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 5;
  std::vector<Input> inputs;
  for (int i = 2; i < argc; ++i) inputs.push_back(read(argv[i]));
  if (inputs.empty()) inputs = made();
  std::printf("%-12s", "MB/s");
  for (const Layer& layer : kLayers) std::printf(" %10s", layer.name);
  std::printf("  transcript/state\n");
  for (const Input& input : inputs) {
    std::array<std::vector<double>, kLayers.size()> rates;
    for (int round = 0; round < rounds; ++round)
      for (std::size_t i = 0; i < kLayers.size(); ++i)
        rates[i].push_back(mb_per_second(kLayers[i], input.bytes));
    std::printf("%-12s", input.name.c_str());
    for (const auto& each : rates) {
      if (median(each) > 0)
        std::printf(" %10.1f", median(each));
      else
        std::printf(" %10s", "-");
    }
    if (median(rates[0]) > 0) std::printf("  %.2f", median(rates[3]) / median(rates[0]));
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
