internal import Identity
internal import JSON
public import Rollback
public import RolloutRunner
internal import WebCore
internal import WebServer

/// The verdicts about releases that other controllers move. Provided by the composition root; any thread may use it.
public struct VerdictSources: Sendable {
    /// Every verdict, by name, as judged within the last second.
    public var standings: @Sendable () -> [VerdictStanding]
    /// Answers a question, which may begin or end a release.
    public var ask: @Sendable (_ name: String, VerdictQuestion) throws(RollbackRunner.VerdictFault) -> VerdictReply
    /// Ends the release of a verdict. Returns whether there was one.
    public var end: @Sendable (_ name: String, _ person: String) throws(RollbackRunner.VerdictFault) -> Bool

    /// Sources, without verdicts unless given.
    public init(
        standings: @escaping @Sendable () -> [VerdictStanding] = { [] },
        ask: @escaping @Sendable (String, VerdictQuestion) throws(RollbackRunner.VerdictFault) -> VerdictReply = {
            (_, _) throws(RollbackRunner.VerdictFault) in throw .unknown
        },
        end: @escaping @Sendable (String, String) throws(RollbackRunner.VerdictFault) -> Bool = {
            (_, _) throws(RollbackRunner.VerdictFault) in throw .unknown
        }
    ) {
        self.standings = standings
        self.ask = ask
        self.end = end
    }
}

/// Questions of Flagger and Argo Rollouts about their releases.
extension TribuneAPI {
    /// The status of a refusal to Flagger, which takes every status above 202 as one. It is not retried.
    private static let refusal = 409

    var verdictEndpoints: [Endpoint] {
        let name = Parameter.path("name", .string, "The name of a verdict.")
        return [
            .data(
                [.get], "/api/v1/verdicts", "Lists the verdicts about releases that other controllers move.", verdicts),
            .data(
                [.get], "/api/v1/verdicts/{name}",
                "Says whether a release is healthy, as Argo Rollouts asks. The first question about a release begins it.",
                permission: .verdict,
                parameters: [
                    name,
                    .optional(
                        "release", .string, "The name of the release; without it nothing begins."),
                ], verdict),
            .response(
                [.post], "/api/v1/verdicts/{name}/flagger",
                "Answers a webhook of Flagger: 200 for yes, 409 for no, with the reason.", permission: .verdict,
                parameters: [
                    name,
                    .optional(
                        "type", .choice(FlaggerHook.types), "The type of the webhook; the one in the body unless given."
                    ),
                ], body: .json, response: .text, needsStore: true, isSlow: true, flagger
            ).refusing(with: Self.refusal),
            .data(
                [.post], "/api/v1/verdicts/{name}/end",
                "Ends the release of a verdict, so that the next question begins one anew.", permission: .order,
                parameters: [name], endVerdict),
        ]
    }

    private func verdicts(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.object { writer in
            writer.name("verdicts")
            writer.array(sources.verdicts.standings()) { $0.write($1.json) }
        }
        return APIResult()
    }

    private func verdict(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        var release: String?
        if let given = call.all("release").first {
            guard (1...VerdictRelease.nameLimit).contains(given.utf8.count) else {
                throw APIError.invalid("release", "expected a name of 1 to \(VerdictRelease.nameLimit) bytes")
            }
            release = given
        }
        let reply = try ask(call, VerdictQuestion(.verdict, release: release, by: call.actor))
        writer.write(reply.standing.json)
        return APIResult()
    }

    private func endVerdict(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let name = try verdictName(call)
        let hadRelease: Bool
        do throws(RollbackRunner.VerdictFault) { hadRelease = try sources.verdicts.end(name, call.actor) } catch {
            throw Self.error(error, name)
        }
        writer.object { $0.member("ended", hadRelease) }
        return APIResult()
    }

    private func flagger(_ call: APIRequest) -> HTTPServerResponse {
        do throws(APIError) {
            let hook = try FlaggerHook(call.request.body, type: call.urlParameter("type"))
            let question = VerdictQuestion(hook.sense, release: hook.release, outcome: hook.outcome, by: call.actor)
            let reply = try ask(call, question)
            return .text(reply.text + "\n", status: reply.isYes ? 200 : Self.refusal)
        } catch {
            return .text(error.message + "\n", status: error.kind.status)
        }
    }

    private func ask(_ call: APIRequest, _ question: VerdictQuestion) throws(APIError) -> VerdictReply {
        let name = try verdictName(call)
        do throws(RollbackRunner.VerdictFault) { return try sources.verdicts.ask(name, question) } catch {
            throw Self.error(error, name)
        }
    }

    /// The verdict in the path, if the sender may use it. A scope of plans limits verdicts by their names too.
    private func verdictName(_ call: APIRequest) throws(APIError) -> String {
        let name = call.pathParameters[0]
        guard call.principal.scope.covers(plan: name) else {
            throw APIError(.forbidden, "\(call.actor) may not use this verdict")
        }
        return name
    }

    private static func error(_ fault: RollbackRunner.VerdictFault, _ name: String) -> APIError {
        switch fault {
        case .unknown: APIError(.notFound, "there is no verdict \"\(name)\"")
        case .silent: APIError(.temporarilyUnavailable, "the thread of the verdicts does not answer")
        }
    }
}
