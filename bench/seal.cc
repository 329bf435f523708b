// What sealing costs the writer, and how fast a recording is verified, beside SHA-256 alone: CPU of one
// thread.
//
//   bench_seal [MIB] [ROUNDS]      default 256 MiB in chunks as a relay reads them, 7 rounds, interleaved;
//   medians
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/clock_io.h"
#include "core/fd_io.h"
#include "format/recording_writer_io.h"
#include "seal/host_verdict_io.h"
#include "seal/session_sealer_io.h"

namespace {

using namespace opelog;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// CPU of recording `size` bytes in chunks of `chunk`.
double record(int directory, const std::string& name, std::size_t size, std::size_t chunk, bool sealed) {
  format::WriterOptions options;
  options.directory = directory;
  options.name = name;
  options.append_only = AppendOnly::kOff;
  if (sealed) {
    options.opened = [](const std::string& base) -> Result<format::Sealing> {
      auto key = seal::SigningKey::generate();
      seal::OpenedEntry opened;
      opened.no = 1;
      opened.recording = base;
      opened.key = key->public_key();
      const std::string line = seal::encode_entry({0, 1, opened});
      return format::Sealing{std::make_unique<seal::SessionSealer>(1, seal::leaf_hash(line), std::move(*key),
                                                                   [](seal::EntryBody) {}),
                             line};
    };
  }
  auto writer = format::RecordingWriter::create(options, {}, mono_now());
  if (!writer) std::exit(1);
  const std::string bytes(chunk, 'x');
  const double begun = cpu_seconds();
  for (std::size_t left = size; left > 0; left -= std::min(left, chunk)) {
    if (!(*writer)->output(std::string_view(bytes).substr(0, std::min(left, chunk)), mono_now()))
      std::exit(1);
  }
  if (!(*writer)->end({}, mono_now())) std::exit(1);
  return cpu_seconds() - begun;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t size = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 256) << 20;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  char path[] = "/var/tmp/bench-seal.XXXXXX";
  if (::mkdtemp(path) == nullptr) return 1;
  auto directory = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  if (!directory) return 1;
  const auto rate = [size](double seconds) { return static_cast<double>(size >> 20) / seconds; };
  for (const std::size_t chunk : {std::size_t{4096}, std::size_t{65536}}) {
    std::vector<double> plain, sealed, verified, hashed, ratios;
    for (int i = 0; i < rounds; ++i) {
      plain.push_back(record(directory->get(), "plain", size, chunk, false));
      sealed.push_back(record(directory->get(), "sealed", size, chunk, true));
      ratios.push_back(sealed.back() / plain.back());
      double begun = cpu_seconds();
      auto verdict = seal::verify_recording(path, "sealed", nullptr);
      if (!verdict || verdict->integrity() != seal::Integrity::kUnproven) return 1;
      verified.push_back(cpu_seconds() - begun);
      const std::string piece(256 * 1024, 'x');
      begun = cpu_seconds();
      Sha256 hash;
      for (std::size_t at = 0; at < size; at += piece.size()) hash.update(piece);
      hashed.push_back(cpu_seconds() - begun);
      for (const char* file : {"/plain.log", "/plain.time", "/sealed.log", "/sealed.time"})
        std::filesystem::remove(std::string(path) + file);
    }
    std::printf(
        "%zu MiB in chunks of %zu: plain %.2f ns/byte, sealed %.2f ns/byte (ratio of the writer's CPU %.2f); "
        "verify %.0f MiB/s, SHA-256 alone %.0f MiB/s\n",
        size >> 20, chunk, median(plain) * 1e9 / static_cast<double>(size),
        median(sealed) * 1e9 / static_cast<double>(size), median(ratios), rate(median(verified)),
        rate(median(hashed)));
  }
  std::filesystem::remove_all(path);
  return 0;
}
