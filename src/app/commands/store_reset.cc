#include "app/commands/store_reset.h"

#include "app/process/database_door.h"
#include "app/terminal/output.h"
#include "postgres/postgres_store.h"

namespace dwell {
namespace {

Result<void> reset_store(const Config& config, bool is_confirmed) {
  auto database = open_database(config);
  if (!database) return pass(database);
  const std::string& topic = config.topics.cleaned;
  const auto partitions = count_positions(**database, topic);
  if (!partitions) return pass(partitions);
  const auto what = fmt::format("{}: the positions of {} partitions of topic {} in database {}",
                                is_confirmed ? "deleted" : "would delete", *partitions, topic,
                                (*database)->name());
  if (!is_confirmed) {
    auto printed = print(fmt::format(
        "{}\n`dwell store` would start again at the beginning of the topic, as far back as its "
        "retention reaches: rows that are stored already are left as they are, and those whose "
        "records are gone stay\n",
        what));
    if (!printed) return printed;
    return fail(ErrorKind::invalid, "nothing was changed; `dwell store reset --yes` does it");
  }
  if (auto forgotten = forget_positions(**database, topic); !forgotten) return forgotten;
  return print(what + "\n");
}

}  // namespace

void add_store_reset(CommandSet& commands, Command store) {
  const auto is_confirmed = std::make_shared<bool>(false);
  Command command = commands.add(
      store, "reset", "Forget how far the topic was read, to start at its beginning",
      {"topics.cleaned", "database."},
      [is_confirmed](const Config& config) { return reset_store(config, *is_confirmed); });
  command.add_switch("--yes", *is_confirmed, "Do it, instead of saying what it would do");
}

}  // namespace dwell
