#include "replay/keys.h"

#include <optional>

namespace opelog::replay {
namespace {

constexpr std::size_t kParamsKept = 16;

std::optional<Key> plain_key(char c) {
  switch (c) {
    case 'q':
    case 'Q':
      return Key::kQuit;
    case ' ':
    case 'p':
      return Key::kPause;
    case '.':
    case 'n':
      return Key::kStep;
    case 'l':
      return Key::kForward;
    case 'h':
      return Key::kBack;
    case 'k':
      return Key::kFarForward;
    case 'j':
      return Key::kFarBack;
    case '+':
    case '>':
      return Key::kFaster;
    case '-':
    case '<':
      return Key::kSlower;
    case '=':
      return Key::kNormalSpeed;
    case 'g':
      return Key::kBegin;
    case 'G':
      return Key::kEnd;
    case 'i':
      return Key::kInfo;
    case '?':
      return Key::kHelp;
    case 'r':
    case '\x0C':
      return Key::kRedraw;
    case 'c':
      return Key::kCommands;
    case ']':
      return Key::kNextCommand;
    case '[':
      return Key::kPreviousCommand;
    default:
      return std::nullopt;
  }
}

std::optional<Key> special_key(char final, const std::string& params) {
  switch (final) {
    case 'A':
      return Key::kFarForward;
    case 'B':
      return Key::kFarBack;
    case 'C':
      return Key::kForward;
    case 'D':
      return Key::kBack;
    case 'H':
      return Key::kBegin;
    case 'F':
      return Key::kEnd;
    case '~':
      if (params == "1" || params == "7") return Key::kBegin;
      if (params == "4" || params == "8") return Key::kEnd;
      if (params == "5") return Key::kFarBack;
      if (params == "6") return Key::kFarForward;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<MenuKey> plain_menu_key(char c) {
  switch (c) {
    case 'k':
      return MenuKey::kUp;
    case 'j':
      return MenuKey::kDown;
    case 'g':
      return MenuKey::kFirst;
    case 'G':
      return MenuKey::kLast;
    case ' ':
      return MenuKey::kPageDown;
    case '\r':
    case '\n':
      return MenuKey::kChoose;
    case 'q':
    case 'Q':
    case 'c':
    case '\x1B':
      return MenuKey::kBack;
    default:
      return std::nullopt;
  }
}

std::optional<MenuKey> special_menu_key(char final, const std::string& params) {
  switch (final) {
    case 'A':
      return MenuKey::kUp;
    case 'B':
      return MenuKey::kDown;
    case 'H':
      return MenuKey::kFirst;
    case 'F':
      return MenuKey::kLast;
    case '~':
      if (params == "1" || params == "7") return MenuKey::kFirst;
      if (params == "4" || params == "8") return MenuKey::kLast;
      if (params == "5") return MenuKey::kPageUp;
      if (params == "6") return MenuKey::kPageDown;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Key> play_key(const Stroke& stroke) {
  return stroke.special ? special_key(stroke.key, stroke.params) : plain_key(stroke.key);
}

std::optional<MenuKey> menu_key(const Stroke& stroke) {
  return stroke.special ? special_menu_key(stroke.key, stroke.params) : plain_menu_key(stroke.key);
}

Stroke KeyReader::escape() {
  state_ = State::kGround;
  return {false, '\x1B', {}};
}

std::vector<Stroke> KeyReader::feed(std::string_view bytes) {
  std::vector<Stroke> keys;
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '\x1B') {  // begins a sequence, whatever was before
      state_ = State::kEscape;
      continue;
    }
    switch (state_) {
      case State::kGround:
        keys.push_back({false, c, {}});
        break;
      case State::kEscape:
        params_.clear();
        if (c == '[')
          state_ = State::kCsi;
        else if (c == 'O')
          state_ = State::kSs3;
        else if (c == ']' || c == 'P' || c == '_' || c == '^' || c == 'X')
          state_ = State::kString;
        else
          state_ = State::kGround;
        break;
      case State::kCsi:
        if (u >= 0x40 && u <= 0x7E) {
          keys.push_back({true, c, params_});
          state_ = State::kGround;
        } else if (params_.size() < kParamsKept) {
          params_ += c;
        }
        break;
      case State::kSs3:
        keys.push_back({true, c, {}});
        state_ = State::kGround;
        break;
      case State::kString:
        if (c == '\a') state_ = State::kGround;
        break;
    }
  }
  return keys;
}

const char* key_help() noexcept {
  return "Keys:\n"
         "  space, p          pause and go on\n"
         "  . n               show the next output, then pause\n"
         "  right, left, l, h 10 s forwards, backwards\n"
         "  up, down, k, j    60 s forwards, backwards (also Page Down, Page Up)\n"
         "  + - =             twice as fast, half as fast, normal speed\n"
         "  [ ]               to where the command before, or the next one, begins\n"
         "  c                 list of the commands: arrows move, Enter goes there, q back\n"
         "  g, Home / G, End  to the beginning / to the end\n"
         "  i                 where we are (any key goes on)\n"
         "  ?                 this list in one line\n"
         "  r, Ctrl-L         draw again\n"
         "  q, Ctrl-C         leave; Ctrl-Z stops and fg goes on\n";
}

}  // namespace opelog::replay
