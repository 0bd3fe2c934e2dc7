#include "tests/contract/store_under_test.h"

namespace dwell {

std::vector<StoreKind> all_stores() {
  return {memory_store(), sqlite_store()};
}

}  // namespace dwell
