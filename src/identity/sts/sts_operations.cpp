#include "identity/sts/sts_operations.h"

#include <fmt/format.h>

#include "identity/sts/assume.h"
#include "identity/sts/authorization_message.h"
#include "identity/sts/session_rules.h"
#include "identity/sts/subject.h"

namespace kaapi::identity {
namespace {

namespace wire = aws::sts;

Result<wire::GetCallerIdentityResponse> get_caller_identity(const aws::CallContext& context,
                                                            const wire::GetCallerIdentityRequest&) {
  wire::GetCallerIdentityResponse response;
  response.UserId = context.user_id;
  response.Account = context.account_id;
  response.Arn = context.principal_arn;
  return response;
}

Result<wire::GetSessionTokenResponse> get_session_token(const StsRooms& rooms, const aws::CallContext& context,
                                                        const wire::GetSessionTokenRequest& request) {
  if (request.SerialNumber || request.TokenCode) {
    return make_error(aws::access_denied,
                      "MultiFactorAuthentication failed: there are no MFA devices here; leave SerialNumber and "
                      "TokenCode out",
                      403);
  }
  if (rooms.auth && rooms.sessions.find(context.access_key_id) != nullptr) {
    return make_error(aws::access_denied, "Cannot call GetSessionToken with session credentials", 403);
  }
  Session session;
  session.kind = SessionKind::session_token;
  const bool is_root = context.is_root || !rooms.auth;
  session.expires_at = context.now + session_token_duration(request.DurationSeconds, is_root);
  if (is_root) {
    session.owner = context.access_key_id;
  } else {
    const Result<policy::Subject> subject =
        subject_of_key(*rooms.directory.state(), rooms.sessions, context.access_key_id);
    if (!subject) {
      return make_error("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
    }
    session.user_name = subject->principal.user_name;
    session.user_id = subject->principal.user_id;
  }
  const Result<std::shared_ptr<const Session>> made = rooms.sessions.create(std::move(session));
  if (!made) return made.error();
  wire::GetSessionTokenResponse response;
  response.Credentials = credentials_of(**made);
  return response;
}

Result<wire::GetAccessKeyInfoResponse> get_access_key_info(const StsRooms& rooms,
                                                           const wire::GetAccessKeyInfoRequest& request) {
  if (!rooms.keys.is_known(request.AccessKeyId)) {
    return make_error("ValidationError", fmt::format("The access key {} is none of this account, and others are not "
                                                     "known here",
                                                     request.AccessKeyId));
  }
  wire::GetAccessKeyInfoResponse response;
  response.Account = rooms.directory.account_id();
  return response;
}

Result<wire::DecodeAuthorizationMessageResponse> decode_message(
    const StsRooms& rooms, const wire::DecodeAuthorizationMessageRequest& request) {
  Result<std::string> message = decode_authorization_message(rooms.sealer, request.EncodedMessage);
  if (!message) return message.error();
  wire::DecodeAuthorizationMessageResponse response;
  response.DecodedMessage = std::move(*message);
  return response;
}

}  // namespace

void add_sts_operations(aws::Dispatcher& dispatcher, const StsRooms& rooms) {
  dispatcher.handle<wire::GetCallerIdentity>(get_caller_identity);
  // Each with the rooms in hand: they are references, and live as long as the dispatcher.
  dispatcher.handle<wire::AssumeRole>(
      [rooms](const aws::CallContext& context, const auto& request) { return assume_role(rooms, context, request); });
  dispatcher.handle<wire::AssumeRoleWithWebIdentity>([rooms](const aws::CallContext& context, const auto& request) {
    return assume_role_with_web_identity(rooms, context, request);
  });
  dispatcher.handle<wire::GetSessionToken>([rooms](const aws::CallContext& context, const auto& request) {
    return get_session_token(rooms, context, request);
  });
  dispatcher.handle<wire::GetAccessKeyInfo>(
      [rooms](const aws::CallContext&, const auto& request) { return get_access_key_info(rooms, request); });
  dispatcher.handle<wire::DecodeAuthorizationMessage>(
      [rooms](const aws::CallContext&, const auto& request) { return decode_message(rooms, request); });
}

}  // namespace kaapi::identity
