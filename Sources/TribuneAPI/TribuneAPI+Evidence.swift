internal import Identity
public import JSON
internal import MetricModel
internal import Runtime
internal import WebCore

/// A statement about a check that a client wants in the ledger, such as a line of a readiness checklist. A value.
public struct EvidenceStatement: Equatable, Sendable {
    /// How the check is answered.
    public enum Kind: Equatable, Sendable {
        /// The server measures: every element of the expression must satisfy the condition, such as `>= 0.95`.
        case measure(expression: String, healthy: String)
        /// A person says so, until `expires` (milliseconds since 1970).
        case attest(statement: String, expires: Int64)
        /// A program has found it.
        case report(outcome: Outcome, value: String, target: String, detail: String)
    }

    /// The result of a check.
    public enum Outcome: String, Equatable, Sendable, CaseIterable {
        case passed, failed, unknown
    }

    /// The server's answer to a statement.
    public enum Reply: Equatable, Sendable {
        /// It is on its way to the ledger, with this body.
        case recorded(JSON)
        /// A parameter is not valid.
        case invalid(name: String, reason: String)
        /// The disk did not accept it.
        case unavailable
    }

    /// The name of the check.
    public var check: String
    /// The service concerned; `nil` for none.
    public var service: String?
    /// How it is answered.
    public var kind: Kind

    /// The longest text of a field, in bytes.
    static let limit = 60_000
    /// An attestation lasts at most so long, in milliseconds.
    static let longestAttestation: Int64 = 366 * 86_400_000
}

extension EvidenceStatement {
    /// Reads the parameters of a request at the time `now`.
    init(_ call: APIRequest, now: Int64) throws(APIError) {
        func text(_ name: String, limit: Int = Self.limit) throws(APIError) -> String {
            let text = call[name]
            guard text.utf8.count <= limit else { throw APIError.invalid(name, "more than \(limit) bytes") }
            return text
        }
        check = try text("check", limit: 200)
        guard !check.isEmpty else { throw APIError.invalid("check", "the name of the check is required") }
        let service = try text("service", limit: 200)
        self.service = service.isEmpty ? nil : service
        let given = ["expr", "statement", "outcome"].filter { !call[$0].isEmpty }
        guard given.count == 1 else {
            throw APIError.invalid("check", "needs exactly one of expr, statement and outcome")
        }
        switch given[0] {
        case "expr":
            kind = .measure(expression: try text("expr", limit: 8000), healthy: try text("healthy", limit: 100))
        case "statement":
            guard let expires = RFC3339.milliseconds(parsing: call["expires"]) else {
                throw APIError.invalid("expires", "expected a time such as 2027-01-01T00:00:00Z")
            }
            guard expires > now, expires <= now + Self.longestAttestation else {
                throw APIError.invalid("expires", "must be within the next 366 days")
            }
            kind = .attest(statement: try text("statement", limit: 4000), expires: expires)
        case _:
            guard let outcome = Outcome(rawValue: call["outcome"]) else {
                let known = Outcome.allCases.map(\.rawValue).joined(separator: ", ")
                throw APIError.invalid("outcome", "expected one of \(known)")
            }
            kind = .report(
                outcome: outcome, value: try text("value"), target: try text("target"), detail: try text("detail"))
        }
    }
}

extension TribuneAPI {
    /// The endpoint that takes evidence.
    var evidenceEndpoints: [Endpoint] {
        [
            .data(
                [.post], "/api/v1/evidence",
                "Records evidence for a check: a measurement by this server, an attestation of a person, or a report.",
                permission: .order,
                parameters: [
                    .required("check", .string, "The name of the check."),
                    .optional("service", .string, "The service concerned."),
                    .optional("plan", .string, "Its plan; required of identities that are limited to plans."),
                    .optional("expr", .string, "An expression that this server measures now."),
                    .optional("healthy", .string, "The comparison that every element must satisfy, such as `>= 0.95`."),
                    .optional("statement", .string, "What a person attests. Needs the proved identity of a person."),
                    .optional("expires", .time, "When the attestation ends, at most 366 days from now."),
                    .optional(
                        "outcome", .choice(EvidenceStatement.Outcome.allCases.map(\.rawValue)), "What a program found."),
                    .optional("value", .string, "The value that it found."),
                    .optional("target", .string, "What it should be."),
                    .optional("detail", .string, "More about it."),
                ], recordEvidence)
        ]
    }

    private func recordEvidence(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let statement = try EvidenceStatement(call, now: SystemClock.wallMilliseconds())
        if case .attest = statement.kind {
            guard call.principal.provesPerson else {
                throw APIError(
                    .forbidden, "an attestation needs a person who logged in: a password, a certificate or a login")
            }
        }
        guard call.principal.scope.covers(plan: call["plan"], services: statement.service.map { [$0] } ?? []) else {
            throw APIError(.forbidden, "\(call.actor) may not do this for the plan, or only for some of its services")
        }
        switch sources.evidence(statement, call.principal) {
        case .recorded(let body): writer.write(body)
        case .invalid(let name, let reason): throw APIError.invalid(name, reason)
        case .unavailable: throw APIError(.unavailable, "the history does not take the evidence now")
        }
        return APIResult()
    }
}

extension Principal {
    /// Whether the proof is that of one person: neither a shared token nor the access of a machine.
    var provesPerson: Bool {
        guard personalName != nil else { return false }
        return switch method {
        case .basic, .certificate, .jwt, .session: true
        case .none, .socket, .localToken, .token: false
        }
    }
}
