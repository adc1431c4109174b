// JSON from files that anybody may have written.
#ifndef EFFC_SUPPORT_JSON_H
#define EFFC_SUPPORT_JSON_H

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace effc {

/// Deeper than any file of effc; readers that recurse must not follow.
constexpr int maxJsonDepth = 64;

/// The object that the text is; nothing when it is damaged, something else, or
/// nested too deeply. `Json` is nlohmann::json or nlohmann::ordered_json.
template <typename Json>
std::optional<Json> parseJsonObject(std::string_view text) {
  bool tooDeep = false;
  auto limitDepth = [&](int depth, typename Json::parse_event_t, Json &) {
    tooDeep |= depth > maxJsonDepth;
    return !tooDeep;
  };
  Json json = Json::parse(text, limitDepth, /*allow_exceptions=*/false);
  if (tooDeep || !json.is_object())
    return std::nullopt;
  return json;
}

} // namespace effc

#endif // EFFC_SUPPORT_JSON_H
