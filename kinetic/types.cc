#include "kinetic/types.h"

#include "absl/strings/str_cat.h"

namespace kbench::kinetic {
namespace {

template <typename Enum>
std::string Unknown(Enum value) {
  return absl::StrCat("UNKNOWN(", static_cast<int32_t>(value), ")");
}

}  // namespace

std::string Name(AuthType type) {
  switch (type) {
    case AuthType::kInvalid:
      return "INVALID_AUTH_TYPE";
    case AuthType::kHmac:
      return "HMACAUTH";
    case AuthType::kPin:
      return "PINAUTH";
    case AuthType::kUnsolicitedStatus:
      return "UNSOLICITEDSTATUS";
  }
  return Unknown(type);
}

std::string Name(MessageType type) {
  switch (type) {
    case MessageType::kInvalid:
      return "INVALID_MESSAGE_TYPE";
    case MessageType::kGetResponse:
      return "GET_RESPONSE";
    case MessageType::kGet:
      return "GET";
    case MessageType::kPutResponse:
      return "PUT_RESPONSE";
    case MessageType::kPut:
      return "PUT";
    case MessageType::kDeleteResponse:
      return "DELETE_RESPONSE";
    case MessageType::kDelete:
      return "DELETE";
    case MessageType::kGetNextResponse:
      return "GETNEXT_RESPONSE";
    case MessageType::kGetNext:
      return "GETNEXT";
    case MessageType::kGetPreviousResponse:
      return "GETPREVIOUS_RESPONSE";
    case MessageType::kGetPrevious:
      return "GETPREVIOUS";
    case MessageType::kGetKeyRangeResponse:
      return "GETKEYRANGE_RESPONSE";
    case MessageType::kGetKeyRange:
      return "GETKEYRANGE";
    case MessageType::kGetVersionResponse:
      return "GETVERSION_RESPONSE";
    case MessageType::kGetVersion:
      return "GETVERSION";
    case MessageType::kSetupResponse:
      return "SETUP_RESPONSE";
    case MessageType::kSetup:
      return "SETUP";
    case MessageType::kGetLogResponse:
      return "GETLOG_RESPONSE";
    case MessageType::kGetLog:
      return "GETLOG";
    case MessageType::kSecurityResponse:
      return "SECURITY_RESPONSE";
    case MessageType::kSecurity:
      return "SECURITY";
    case MessageType::kPeerToPeerPushResponse:
      return "PEER2PEERPUSH_RESPONSE";
    case MessageType::kPeerToPeerPush:
      return "PEER2PEERPUSH";
    case MessageType::kNoopResponse:
      return "NOOP_RESPONSE";
    case MessageType::kNoop:
      return "NOOP";
    case MessageType::kFlushAllDataResponse:
      return "FLUSHALLDATA_RESPONSE";
    case MessageType::kFlushAllData:
      return "FLUSHALLDATA";
    case MessageType::kPinOpResponse:
      return "PINOP_RESPONSE";
    case MessageType::kPinOp:
      return "PINOP";
    case MessageType::kMediaScanResponse:
      return "MEDIASCAN_RESPONSE";
    case MessageType::kMediaScan:
      return "MEDIASCAN";
    case MessageType::kMediaOptimizeResponse:
      return "MEDIAOPTIMIZE_RESPONSE";
    case MessageType::kMediaOptimize:
      return "MEDIAOPTIMIZE";
    case MessageType::kStartBatchResponse:
      return "START_BATCH_RESPONSE";
    case MessageType::kStartBatch:
      return "START_BATCH";
    case MessageType::kEndBatchResponse:
      return "END_BATCH_RESPONSE";
    case MessageType::kEndBatch:
      return "END_BATCH";
    case MessageType::kAbortBatchResponse:
      return "ABORT_BATCH_RESPONSE";
    case MessageType::kAbortBatch:
      return "ABORT_BATCH";
    case MessageType::kSetPowerLevelResponse:
      return "SET_POWER_LEVEL_RESPONSE";
    case MessageType::kSetPowerLevel:
      return "SET_POWER_LEVEL";
  }
  return Unknown(type);
}

std::string Name(StatusCode code) {
  switch (code) {
    case StatusCode::kInvalid:
      return "INVALID_STATUS_CODE";
    case StatusCode::kNotAttempted:
      return "NOT_ATTEMPTED";
    case StatusCode::kSuccess:
      return "SUCCESS";
    case StatusCode::kHmacFailure:
      return "HMAC_FAILURE";
    case StatusCode::kNotAuthorized:
      return "NOT_AUTHORIZED";
    case StatusCode::kVersionFailure:
      return "VERSION_FAILURE";
    case StatusCode::kInternalError:
      return "INTERNAL_ERROR";
    case StatusCode::kHeaderRequired:
      return "HEADER_REQUIRED";
    case StatusCode::kNotFound:
      return "NOT_FOUND";
    case StatusCode::kVersionMismatch:
      return "VERSION_MISMATCH";
    case StatusCode::kServiceBusy:
      return "SERVICE_BUSY";
    case StatusCode::kExpired:
      return "EXPIRED";
    case StatusCode::kDataError:
      return "DATA_ERROR";
    case StatusCode::kPermDataError:
      return "PERM_DATA_ERROR";
    case StatusCode::kRemoteConnectionError:
      return "REMOTE_CONNECTION_ERROR";
    case StatusCode::kNoSpace:
      return "NO_SPACE";
    case StatusCode::kNoSuchHmacAlgorithm:
      return "NO_SUCH_HMAC_ALGORITHM";
    case StatusCode::kInvalidRequest:
      return "INVALID_REQUEST";
    case StatusCode::kNestedOperationErrors:
      return "NESTED_OPERATION_ERRORS";
    case StatusCode::kDeviceLocked:
      return "DEVICE_LOCKED";
    case StatusCode::kDeviceAlreadyUnlocked:
      return "DEVICE_ALREADY_UNLOCKED";
    case StatusCode::kConnectionTerminated:
      return "CONNECTION_TERMINATED";
    case StatusCode::kInvalidBatch:
      return "INVALID_BATCH";
    case StatusCode::kHibernate:
      return "HIBERNATE";
    case StatusCode::kShutdown:
      return "SHUTDOWN";
  }
  return Unknown(code);
}

std::string Name(Synchronization synchronization) {
  switch (synchronization) {
    case Synchronization::kInvalid:
      return "INVALID_SYNCHRONIZATION";
    case Synchronization::kWriteThrough:
      return "WRITETHROUGH";
    case Synchronization::kWriteBack:
      return "WRITEBACK";
    case Synchronization::kFlush:
      return "FLUSH";
  }
  return Unknown(synchronization);
}

}  // namespace kbench::kinetic
