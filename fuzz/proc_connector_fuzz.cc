// The proc connector's datagrams as any bytes, and the membership they lead to: bounded, and no event for
// nobody.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "record/exec_membership.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace opelog::record;
  const ConnectorEvents decoded = decode_connector({reinterpret_cast<const char*>(data), size});
  if (decoded.events.size() > size / 16) std::abort();
  ExecMembership members;
  members.join(10, 7, Membership::kProcess, 0);
  std::size_t most = 1;
  for (const ConnectorEvent& event : decoded.events) {
    const auto step = members.step(event);
    if (step.kind != ExecMembership::Step::Kind::kNothing && step.session != 7) std::abort();
    if (members.count() > ++most) std::abort();
  }
  return 0;
}
