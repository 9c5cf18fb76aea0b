internal import CurlHTTP
internal import JSON
internal import Runtime

/// A question to a Kubernetes API server whether a token of a service account is still valid (TokenReview of
/// authentication.k8s.io/v1). In contrast to a signature, the answer is no for a deleted pod or account.
struct TokenReview {
    /// Where the API server is, and how this process proves itself there. A value.
    struct Server: Equatable, Sendable {
        /// The URL, without a slash at its end.
        var url: String
        /// A file with a token that may create TokenReviews, read for every question because tokens rotate.
        var tokenFile: String
    }

    /// The API server's answer about a valid token.
    struct Account: Equatable {
        /// `system:serviceaccount:NAMESPACE:NAME`.
        var name: String
        var groups: [String]
    }

    let server: Server
    let audiences: [String]

    /// The question about `token`, to be sent with the settings of `request`.
    func question(_ token: String, _ request: HTTPRequest) throws(TokenIssuer.Fault) -> HTTPRequest {
        guard let own = FileText.read(server.tokenFile)?.split(whereSeparator: \.isWhitespace).first else {
            throw TokenIssuer.Fault("the file with the token for reviews cannot be read")
        }
        var request = request
        request.method = "POST"
        request.url = "\(server.url)/apis/authentication.k8s.io/v1/tokenreviews"
        request.headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
        request.authorize(credentials: String(own))
        let body: JSON = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": ["token": .string(token), "audiences": .array(audiences.map(JSON.string))],
        ]
        request.body = Array(body.encoded.utf8)
        return request
    }

    /// The account in the answer to a question.
    func account(_ response: HTTPResponse) throws(TokenIssuer.Fault) -> Account {
        guard response.status == 200 || response.status == 201,
            case .some(let json) = try? JSON(parsing: response.body),  // an answer that is no JSON says nothing
            json["kind"]?.text == "TokenReview", let status = json["status"]
        else { throw TokenIssuer.Fault("the API server does not review it (status \(response.status))") }
        guard status["authenticated"]?.bool == true else { throw TokenIssuer.Fault("the API server refuses it") }
        // A server that does not know about audiences leaves them out, and means tokens for itself.
        let confirmed = (status["audiences"]?.elements ?? []).compactMap(\.text)
        guard confirmed.contains(where: audiences.contains) else {
            throw TokenIssuer.Fault("the API server does not confirm its audience")
        }
        guard let name = status["user"]?["username"]?.text, (1...200).contains(name.utf8.count) else {
            throw TokenIssuer.Fault("the API server names nobody")
        }
        return Account(name: name, groups: (status["user"]?["groups"]?.elements ?? []).compactMap(\.text))
    }
}

extension IssuerKeys {
    /// The grant of a token that the API server at `server` has confirmed. May take some seconds.
    func reviewed(_ text: String, _ server: TokenReview.Server) throws(TokenIssuer.Fault) -> AccessPolicy.Grant {
        let review = TokenReview(server: server, audiences: issuer.audiences)
        let question = try review.question(text, request(server.url))
        let response: HTTPResponse
        do {
            response = try client.send(question)
        } catch {
            throw TokenIssuer.Fault("the API server does not answer: \(error.message)")
        }
        return issuer.grant(of: try review.account(response))
    }
}
