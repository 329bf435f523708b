#include "cli/find_io.h"

#include "format/stored_name.h"

namespace opelog::cli {
namespace {

std::string base_path(std::string path) {
  path = format::parse_stored_name(path).file;
  for (const char* suffix : {".log", ".time", ".in"}) {
    const std::string_view end(suffix);
    if (path.size() > end.size() && path.compare(path.size() - end.size(), end.size(), end) == 0) {
      path.erase(path.size() - end.size());
      break;
    }
  }
  return path;
}

}  // namespace

Result<Found> find_session(const Context& context, const std::string& session) {
  if (session.empty()) return Error{Code::kInvalid, "an empty SESSION names none; `opelog ls` lists them", 0};
  Found found;
  if (session.find('/') != std::string::npos) {
    found.path = base_path(session);
    const std::size_t slash = found.path.rfind('/');
    found.directory = slash == 0 ? "/" : found.path.substr(0, slash);
    found.name = found.path.substr(slash + 1);
    return found;
  }
  auto directory = context.recordings();
  if (!directory) return std::move(directory).error();
  found.directory = std::move(*directory);
  auto name = format::find_recording(found.directory, base_path(session));
  if (!name) return std::move(name).error();
  const std::size_t slash = name->rfind('/');
  found.name = slash == std::string::npos ? *name : name->substr(slash + 1);
  found.path = found.directory + "/" + found.name;
  return found;
}

}  // namespace opelog::cli
