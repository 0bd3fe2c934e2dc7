#pragma once

#include "app/commands/command_set.h"

namespace dwell {

// Each command adds itself, with its flags and the settings it reads. One file for each; it prints
// to standard output. What runs until a signal stops it is a role (app/roles).
void add_run(CommandSet& commands);    // services.cc
void add_clean(CommandSet& commands);  // services.cc
void add_store(CommandSet& commands);  // services.cc
void add_serve(CommandSet& commands);  // services.cc
void add_topics(CommandSet& commands);
void add_migrate(CommandSet& commands);
void add_replay(CommandSet& commands);
void add_timeline(CommandSet& commands);
void add_who(CommandSet& commands);
void add_rejects(CommandSet& commands);
void add_generate(CommandSet& commands);
void add_check(CommandSet& commands);    // config.cc
void add_config(CommandSet& commands);   // config.cc
void add_version(CommandSet& commands);  // config.cc

}  // namespace dwell
