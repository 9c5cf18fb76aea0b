internal import JSON
internal import MetricModel
internal import Rollback
internal import WebCore

/// The body of a webhook of Flagger. A value.
///
/// Releases of Flagger send `name`, `namespace`, `phase`, since 1.31 `checksum`, and `metadata`; later ones also `type`
/// and counters. Members that are not needed are not read.
struct FlaggerHook: Equatable {
    /// The longest body, in bytes.
    static let bodyLimit = 64 << 10
    /// The types of webhooks that a verdict answers.
    static let types = VerdictQuestion.Sense.allCases.filter { $0 != .verdict }.map(\.rawValue)

    /// The type of the webhook.
    var sense: VerdictQuestion.Sense
    /// `NAMESPACE/NAME@CHECKSUM`, without a checksum `NAMESPACE/NAME`.
    var release: String
    /// How the release ended; `nil` if it goes on.
    var outcome: String?

    /// Reads `body`.
    ///
    /// - Parameter type: the type in the address; empty for the one in the body.
    init(_ body: [UInt8], type: String) throws(APIError) {
        guard body.count <= Self.bodyLimit else {
            throw APIError(.bodyTooLong, "the body is longer than \(Self.bodyLimit) bytes")
        }
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: body) } catch {
            throw APIError(.badData, "the body is not JSON: \(error.description)")
        }
        guard json.members != nil else { throw APIError(.badData, "the body is not a JSON object") }
        let name = try Self.text(json, "name")
        let namespace = try Self.text(json, "namespace")
        let phase = try Self.text(json, "phase")
        sense = try Self.sense(inAddress: type, inBody: json["type"])
        let checksum = json["checksum"]?.text ?? ""
        release = "\(namespace)/\(name)" + (checksum.isEmpty ? "" : "@\(checksum)")
        guard release.utf8.count <= VerdictRelease.nameLimit else {
            throw APIError(
                .badData, "namespace, name and checksum are longer than \(VerdictRelease.nameLimit) bytes together")
        }
        outcome = ["Succeeded", "Failed", "Terminated"].contains(phase) ? phase : nil
    }

    private static func text(_ json: JSON, _ name: String) throws(APIError) -> String {
        guard let text = json[name]?.text, !text.isEmpty else {
            throw APIError(.badData, "the body has no text \"\(name)\"; expected a webhook of Flagger")
        }
        return text
    }

    private static func sense(inAddress type: String, inBody body: JSON?) throws(APIError) -> VerdictQuestion.Sense {
        // Flagger's default type is written as no text.
        let own = body?.text.map { $0.isEmpty ? VerdictQuestion.Sense.rollout.rawValue : $0 }
        guard let wanted = type.isEmpty ? own : type else {
            throw APIError(
                .badData,
                "the type of the webhook is not known: add ?type= to its address, one of "
                    + types.joined(separator: ", "))
        }
        guard own == nil || own == wanted else {
            throw APIError(
                .badData,
                "the address says type \(MetricText.quoted(wanted)), the body "
                    + MetricText.quoted(own ?? ""))
        }
        guard let sense = VerdictQuestion.Sense(rawValue: wanted), sense != .verdict else {
            throw APIError(
                .badData,
                "a verdict does not answer webhooks of type \(MetricText.quoted(wanted)), only "
                    + types.joined(separator: ", "))
        }
        return sense
    }
}
