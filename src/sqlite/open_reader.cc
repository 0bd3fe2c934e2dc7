#include "sqlite/open_reader.h"

#include <filesystem>

#include "sqlite/migrations.h"
#include "sqlite/stored_facts.h"

namespace dwell {

Result<std::unique_ptr<Database>> open_to_read(const std::string& path, DatabaseOptions options) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return fail(ErrorKind::not_found,
                "{}: no such database; make one with `dwell replay FILE --db {}`", path, path);
  }
  options.is_read_only = true;
  auto database = Database::open(path, options);
  if (!database) return pass(database);
  if (auto checked = check_schema(**database); !checked) return pass(checked);
  const auto real_path = std::filesystem::canonical(path, error).string();
  if (auto checked = check_name(**database, real_path); !checked) return pass(checked);
  return database;
}

}  // namespace dwell
