# Writes OUTPUT, a C++ source whose function FUNCTION (in dwell, declared in HEADER) returns the
# migrations DIRECTORY/NNNN_name.{up,down}.sql, in the order of their numbers. Run with cmake -P.
file(GLOB up_files "${DIRECTORY}/*.up.sql")
list(SORT up_files)
set(body "")
foreach(up_file IN LISTS up_files)
  string(REPLACE ".up.sql" ".down.sql" down_file "${up_file}")
  get_filename_component(name "${up_file}" NAME)
  string(REPLACE ".up.sql" "" name "${name}")
  file(READ "${up_file}" up)
  file(READ "${down_file}" down)
  string(APPEND body "    {\"${name}\", R\"sql(${up})sql\", R\"sql(${down})sql\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made from SQL files by cmake/embed_sql.cmake.
#include \"${HEADER}\"

namespace dwell {

const std::vector<Migration>& ${FUNCTION}() {
  static const std::vector<Migration> migrations = {
${body}  };
  return migrations;
}

}  // namespace dwell
")
