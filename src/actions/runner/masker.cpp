#include "actions/runner/masker.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

constexpr std::string_view mask_text = "***";

std::size_t pair_of(std::string_view text, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(text[at])) << 8U |
         static_cast<unsigned char>(text[at + 1]);
}

std::string url_safe(std::string text) {
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::vector<std::string> in_lines(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at += width) lines.emplace_back(text.substr(at, width));
  return lines;
}

// The base64 of all texts that hold `value` have one of these in them: what depends on neighbours is cut off.
std::vector<std::string> base64_forms(std::string_view value) {
  std::vector<std::string> forms;
  for (std::size_t offset = 0; offset < 3; ++offset) {
    const std::string whole = base64_encode(std::string(offset, '\0').append(value));
    // Six bits each: characters that hold bits of the text before, or of the text behind.
    const std::size_t first = (offset * 8 + 5) / 6;
    const std::size_t end = (offset + value.size()) * 8 / 6;
    if (end <= first) continue;
    forms.push_back(whole.substr(first, end - first));
    // At the end of a text the last character is known too.
    const std::string tail = whole.substr(first, whole.find('=') - first);
    if (tail.size() > end - first) forms.push_back(tail);
    if (whole.size() - first > tail.size()) forms.push_back(whole.substr(first));
  }
  const std::string core = base64_encode(value);
  for (const std::size_t width : {std::size_t{64}, std::size_t{76}}) {
    if (core.size() <= width) continue;
    const std::string_view sure = std::string_view(core).substr(0, value.size() * 8 / 6);
    for (std::string& line : in_lines(sure, width)) forms.push_back(std::move(line));
  }
  return forms;
}

std::string json_form(std::string_view value) {
  const std::string quoted = json::serialize(json::string(value));
  return quoted.substr(1, quoted.size() - 2);
}

std::vector<std::string> lines_of(std::string_view value) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= value.size(); ++at) {
    if (at < value.size() && value[at] != '\n' && value[at] != '\r') continue;
    const std::string_view line = trim(value.substr(begin, at - begin));
    if (line.size() >= min_derived_mask_bytes) lines.emplace_back(line);
    begin = at + 1;
  }
  return lines;
}

}  // namespace

bool Masks::add(std::string_view value) {
  if (trim(value).empty() || needles_.contains(value)) return true;
  const bool whole = value.size() <= max_mask_bytes;
  std::vector<std::string> found;
  if (whole) found.emplace_back(value);
  const bool several = value.find_first_of("\r\n") != std::string_view::npos;
  if (several || trim(value).size() != value.size()) {
    for (std::string& line : lines_of(value)) found.push_back(std::move(line));
  }
  std::vector<std::string> forms;
  if (whole) {
    forms = base64_forms(value);
    // What `echo $SECRET | base64` makes of a secret that ends with a line break.
    if (several) {
      for (std::string& form : base64_forms(trim(value))) forms.push_back(std::move(form));
    }
    const std::size_t plain = forms.size();
    for (std::size_t i = 0; i < plain; ++i) forms.push_back(url_safe(forms[i]));
    forms.push_back(json_form(value));
    forms.push_back(percent_encode(value));
  }
  for (std::string& form : forms) {
    if (form.size() >= min_derived_mask_bytes) found.push_back(std::move(form));
  }
  for (const std::string& needle : found) {
    if (bytes_ + needle.size() > max_masks_bytes || needle.size() > 4 * max_mask_bytes) return false;
    add_needle(needle);
  }
  return true;
}

void Masks::add_needle(std::string_view needle) {
  const auto [place, is_new] = needles_.emplace(needle);
  if (!is_new) return;
  bytes_ += needle.size();
  longest_ = std::max(longest_, needle.size());
  const auto first = static_cast<unsigned char>(needle[0]);
  if (needle.size() == 1) {
    singles_.set(first);
  } else {
    pairs_.set(pair_of(needle, 0));
  }
  auto& same = by_first_[first];
  const auto behind =
      std::find_if(same.begin(), same.end(), [&](std::string_view other) { return other.size() < needle.size(); });
  same.insert(behind, *place);
}

std::size_t Masks::match(std::string_view text, std::size_t at) const {
  const auto first = static_cast<unsigned char>(text[at]);
  const bool pair = at + 1 < text.size() && pairs_.test(pair_of(text, at));
  if (!pair && !singles_.test(first)) return 0;
  const std::string_view rest = text.substr(at);
  for (const std::string_view needle : by_first_[first]) {
    if (rest.starts_with(needle)) return needle.size();
  }
  return 0;
}

std::string Masks::mask(std::string_view text) const {
  std::string out;
  MaskStream stream(*this);
  stream.write(text, out);
  stream.finish(out);
  return out;
}

void MaskStream::write(std::string_view bytes, std::string& out) {
  pending_ += bytes;
  // A match is sure once as much as the longest needle lies behind its beginning.
  if (pending_.size() >= masks_.longest()) drain(pending_.size() - std::max<std::size_t>(masks_.longest(), 1) + 1, out);
}

void MaskStream::finish(std::string& out) {
  drain(pending_.size(), out);
  covered_ = 0;
  in_mask_ = false;
}

void MaskStream::drain(std::size_t end, std::string& out) {
  for (std::size_t at = 0; at < end; ++at) {
    const std::size_t length = masks_.match(pending_, at);
    if (length != 0) covered_ = std::max(covered_, at + length);
    if (at >= covered_) {
      out += pending_[at];
      in_mask_ = false;
    } else if (!in_mask_) {
      out += mask_text;
      in_mask_ = true;
    }
  }
  pending_.erase(0, end);
  covered_ = covered_ > end ? covered_ - end : 0;
}

}  // namespace kaapi::actions::runner
