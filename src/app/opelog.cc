// opelog: the auditors' and administrators' command; everything is in cli/.
#include "cli/commands_io.h"

int main(int argc, char** argv) {
  return opelog::cli::run(argc, argv);
}
