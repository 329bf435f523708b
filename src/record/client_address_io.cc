#include "record/client_address_io.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>

#include "record/proc_directory_io.h"
#include "record/proc_text.h"
#include "record/socket_text.h"

namespace opelog::record {
namespace {

/// Descriptors of an sshd looked at, lowest numbers first: the client's connection is among the first ten,
/// and one sshd's forwarded connections must not slow a login down.
constexpr std::size_t kMaxSockets = 256;
/// Bytes of a TCP table read: 400,000 connections. Beyond it the address is taken as not found.
constexpr std::size_t kMaxTable = 64u << 20;

struct SocketLink {
  int fd = -1;
  std::uint64_t inode = 0;
};

bool is_privileged_sshd(const format::Ancestor& ancestor) {
  return ancestor.uid == 0 && is_sshd(ancestor.exe);
}

// Index of the next privileged sshd from `from` on, or the number of ancestors.
std::size_t find_sshd(const std::vector<format::Ancestor>& ancestry, std::size_t from) {
  while (from < ancestry.size() && !is_privileged_sshd(ancestry[from])) ++from;
  return from;
}

std::vector<SocketLink> list_sockets(const ProcDirectory& process) {
  std::vector<SocketLink> sockets;
  auto fd = open_at(process.fd(), "fd", O_RDONLY | O_DIRECTORY);
  if (!fd) return sockets;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(fd->get()), ::closedir);
  if (!directory) return sockets;
  (void)fd->release();  // closedir closes it
  std::vector<int> numbers;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name(entry->d_name);
    int number = -1;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  constexpr std::string_view kPrefix = "socket:[";
  for (const int number : numbers) {
    const auto link = process.link("fd/" + std::to_string(number));
    if (link.compare(0, kPrefix.size(), kPrefix) != 0) continue;
    SocketLink socket{number, 0};
    std::from_chars(link.data() + kPrefix.size(), link.data() + link.size(), socket.inode);
    sockets.push_back(socket);
    if (sockets.size() == kMaxSockets) break;
  }
  return sockets;
}

// Address and port of an AF_INET or AF_INET6 name.
bool to_address(const sockaddr_storage& name, Address& address, std::uint16_t& port, std::uint32_t& scope) {
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    address = {};
    address[10] = address[11] = 0xff;
    std::memcpy(address.data() + 12, &v4.sin_addr, 4);
    port = ntohs(v4.sin_port);
    return true;
  }
  if (name.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
    std::memcpy(address.data(), &v6.sin6_addr, 16);
    port = ntohs(v6.sin6_port);
    scope = v6.sin6_scope_id;
    return true;
  }
  return false;
}

bool is_link_local(const Address& address) {
  return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}

// Of the network that the socket belongs to: ours may be another, without interfaces.
std::string interface_of(int socket, std::uint32_t index) {
  ifreq request{};
  request.ifr_ifindex = static_cast<int>(index);
  if (index == 0 || ::ioctl(socket, SIOCGIFNAME, &request) != 0) return {};
  return {request.ifr_name, ::strnlen(request.ifr_name, sizeof request.ifr_name)};
}

// A copy of each socket is asked; false when the kernel gives none (then the tables are read).
bool ask_copies(int pidfd, const std::vector<SocketLink>& links, std::vector<HeldSocket>& held) {
  for (const auto& link : links) {
    const Fd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, link.fd, 0)));
    if (!copy) {
      if (errno == EBADF) continue;  // closed meanwhile
      return false;
    }
    sockaddr_storage local{}, remote{};
    socklen_t local_length = sizeof local, remote_length = sizeof remote, length = sizeof(int);
    int type = 0, listening = 0;
    if (::getsockopt(copy.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_STREAM) continue;
    length = sizeof listening;
    ::getsockopt(copy.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
    HeldSocket socket;
    socket.fd = link.fd;
    socket.listening = listening != 0;
    Address own{};
    std::uint32_t scope = 0;
    if (::getsockname(copy.get(), reinterpret_cast<sockaddr*>(&local), &local_length) != 0 ||
        !to_address(local, own, socket.local_port, scope)) {
      continue;
    }
    if (!socket.listening &&
        (::getpeername(copy.get(), reinterpret_cast<sockaddr*>(&remote), &remote_length) != 0 ||
         !to_address(remote, socket.remote, socket.remote_port, scope))) {
      continue;
    }
    if (!socket.listening && is_link_local(socket.remote)) socket.interface = interface_of(copy.get(), scope);
    held.push_back(socket);
  }
  return true;
}

void read_table(const ProcDirectory& process, const char* file, const std::map<std::uint64_t, int>& wanted,
                std::vector<HeldSocket>& held) {
  auto fd = open_at(process.fd(), file, O_RDONLY);
  if (!fd) return;
  std::string rest;
  char buffer[65536];
  for (std::size_t total = 0; total < kMaxTable;) {
    const ssize_t n = ::read(fd->get(), buffer, sizeof buffer);
    if (n <= 0) return;
    total += static_cast<std::size_t>(n);
    rest.append(buffer, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      const auto entry = parse_tcp_line(std::string_view(rest).substr(begin, end - begin));
      begin = end + 1;
      if (!entry || (!entry->listening && !entry->connected)) continue;
      const auto found = wanted.find(entry->inode);
      if (found == wanted.end()) continue;
      held.push_back(
          {found->second, entry->listening, entry->remote, {}, entry->local_port, entry->remote_port});
    }
    rest.erase(0, begin);
  }
}

std::vector<HeldSocket> held_sockets(const ProcessFacts& facts, std::size_t index) {
  std::vector<HeldSocket> held;
  if (index >= facts.ancestry.size()) return held;
  const auto pid = facts.ancestry[index].pid;
  auto process = ProcDirectory::open(pid);
  if (!process) return held;
  const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  // Read after both were opened: the same start says that both are the process that was found above the
  // login.
  const auto stat = process->stat();
  if (!stat || stat->started != facts.ancestry_started[index]) return held;
  const auto links = list_sockets(*process);
  if (pidfd && ask_copies(pidfd.get(), links, held)) return held;
  held.clear();
  std::map<std::uint64_t, int> wanted;
  for (const auto& link : links) wanted.emplace(link.inode, link.fd);
  if (wanted.empty()) return held;
  read_table(*process, "net/tcp", wanted, held);
  read_table(*process, "net/tcp6", wanted, held);
  return held;
}

}  // namespace

ClientAddress find_client_address(const ProcessFacts& facts, const std::string& claim) {
  ClientAddress client;
  const auto monitor = find_sshd(facts.ancestry, 0);
  const auto held = held_sockets(facts, monitor);
  const bool ambiguous =
      std::count_if(held.begin(), held.end(), [](const auto& s) { return !s.listening; }) > 1;
  const auto listener =
      ambiguous ? held_sockets(facts, find_sshd(facts.ancestry, monitor + 1)) : std::vector<HeldSocket>();
  if (const auto* socket = choose_connection(held, listener)) {
    client.text = format_address(socket->remote);
    client.port = socket->remote_port;
    client.bytes = socket->remote;
    if (!socket->interface.empty()) client.text += "%" + socket->interface;
    return client;
  }
  if (auto claimed = parse_ssh_connection(claim)) {
    client.text = std::move(claimed->text);
    client.port = claimed->port;
    client.claimed = true;
  }
  return client;
}

}  // namespace opelog::record
