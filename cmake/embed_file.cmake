# Writes OUTPUT, a C++ source whose function FUNCTION (in dwell, declared in HEADER) returns the
# contents of INPUT, a text file without `)file"`. Run with cmake -P.
file(READ "${INPUT}" content)
# A string literal may be at most 64 KiB: cut it into pieces the compiler joins.
string(LENGTH "${content}" length)
set(pieces "")
set(start 0)
while(start LESS length)
  string(SUBSTRING "${content}" ${start} 8000 piece)
  string(APPEND pieces "R\"file(${piece})file\"\n")
  math(EXPR start "${start} + 8000")
endwhile()
file(WRITE "${OUTPUT}" "// Made from a file by cmake/embed_file.cmake.
#include \"${HEADER}\"

namespace dwell {

std::string_view ${FUNCTION}() {
  return
${pieces};
}

}  // namespace dwell
")
