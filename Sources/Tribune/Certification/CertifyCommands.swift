internal import History
internal import JSON
internal import MetricModel
internal import Runtime
internal import TLS
internal import WebServer

/// Percent encoding of a query's value.
enum URLText {
    static func escape(_ text: String) -> String { URLEncoding.escape(text) }
}

/// `tribune certify …`: a certificate computed from evidence, signed by the ledger.
enum CertifyCommands {
    static let all = [attest, verify, certify]

    private static let options: [Command.Option] = [
        .value("server", "URL", "The running Tribune.", default: "http://127.0.0.1:8007"),
        .value("token-file", "FILE", "File with the bearer token, for a server on another machine."),
    ]

    private static let certify = Command(
        "certify", "Compute a certificate from evidence in the ledger, and write it with its proofs.",
        operands: "CRITERIA", count: 1...1,
        options: options + [
            .value("output", "FILE", "The file for the certificate with all proofs.", default: "certificate.json")
        ],
        details: """
            CRITERIA is YAML: config/acgs/certification.yml has the platform's lists. A line is measured by the server, taken from the newest report
            of a program (tribune migrate … --record), or attested by a person (tribune certify attest). Unknown is not passed. Exit codes: 0 granted,
            1 not granted. 'tribune certify verify' checks the file without a server.
            """
    ) { (invocation) throws(CommandFailure) in
        let criteria = try CertificationCriteria.load(invocation.operands[0])
        let session = CertificationSession(client: try client(invocation))
        let now = SystemClock.wallMilliseconds()
        var lines: [Certificate.Line] = []
        for line in criteria.lines {
            lines.append(try session.line(line, maximumAge: criteria.maximumAge, now: now))
        }
        let certificate = Certificate(
            name: criteria.name, lines: lines, scoreLimit: criteria.score, healthLimit: criteria.health)
        let entry = try session.state([
            ("check", "certificate"), ("outcome", certificate.isGranted ? "passed" : "failed"),
            ("value", "\(certificate.score)"), ("target", "> \(criteria.score)"),
            ("detail", certificate.json.encoded),
        ])
        var sources: [JSON] = []
        for number in Set(lines.flatMap(\.entries)).sorted() { sources.append(try session.proof(of: number)) }
        let file = CertificateFile.json(certificate: try session.proof(of: entry.number), sources: sources)
        let path = invocation.value("output") ?? ""
        guard FileText.write(file.encoded + "\n", to: path, isPrivate: false) else {
            throw CommandFailure("\(path): \(SystemError.current)")
        }
        Console.print(certificate.text)
        Console.print("entry \(entry.number), with the proofs of \(sources.count) entries: \(path)")
        return certificate.isGranted ? 0 : CommandFailure.Code.failed.rawValue
    }

    private static let attest = Command(
        "certify attest", "Attest a line that only a person can know, for a limited time.", operands: "LINE",
        count: 1...1,
        options: options + [
            .value("user", "NAME", "A user of the access file."),
            .value("password-file", "FILE", "File with the user's password, a single word."),
            .value("statement", "TEXT", "What is attested."),
            .value("expires", "TIME", "When it ends, RFC 3339; at most 366 days from now."),
        ],
        details:
            "The server must have proved who the person is: a password, a certificate or a login. The entry is signed with the ledger."
    ) { (invocation) throws(CommandFailure) in
        guard let statement = invocation.value("statement"), !statement.isEmpty,
            let expires = invocation.value("expires")
        else { throw CommandFailure("--statement and --expires are required", code: .usage) }
        let session = CertificationSession(client: try client(invocation))
        let entry = try session.state([
            ("check", invocation.operands[0]), ("statement", statement), ("expires", expires),
        ])
        Console.print("entry \(entry.number): \(invocation.operands[0]) until \(entry.body["expires"]?.text ?? "")")
        return 0
    }

    private static let verify = Command(
        "certify verify", "Verify a certificate with its proofs, without any server.", operands: "FILE", count: 1...1,
        options: [
            .value("public-key", "KEY", "A key to trust, as name+id+key; may be repeated."),
            .value("root-key", "KEY", "The root key; keys that it certified are trusted."),
        ],
        details: """
            Checks the signature and the proof of the certificate and of every entry that it cites, that the entries say what the lines say, and the
            scores. Exit codes: 0 the file is genuine and the certificate is granted, 1 otherwise.
            """
    ) { (invocation) throws(CommandFailure) in
        let keys = invocation.values("public-key")
        guard !keys.isEmpty || invocation.value("root-key") != nil else {
            throw CommandFailure("--public-key or --root-key is required", code: .usage)
        }
        guard let text = FileText.read(invocation.operands[0]),
            case .some(let file) = try? JSON(parsing: text)
        else { throw CommandFailure("\(invocation.operands[0]) is not readable as JSON") }
        let audit = LedgerAudit(HistoryConfiguration(directory: ""))
        let trust = LedgerAudit.Trust(publicKeys: keys, rootKey: invocation.value("root-key"))
        let (certificate, problems) = try CertificateFile.verify(file) { (proof) throws(CommandFailure) in
            do throws(HistoryError) { return try audit.check(proof, trust) } catch {
                throw CommandFailure(error.description)
            }
        }
        if let certificate { Console.print(certificate.text) }
        for problem in problems { Console.print("PROBLEM      \(problem)") }
        Console.print(problems.isEmpty ? "The certificate is genuine." : "The certificate is not genuine.")
        return problems.isEmpty && certificate?.isGranted == true ? 0 : CommandFailure.Code.failed.rawValue
    }

    private static func client(_ invocation: Invocation) throws(CommandFailure) -> APIClient {
        var client = APIClient(invocation.value("server") ?? "")
        if let path = invocation.value("token-file") { client.token = try Console.secret(in: path) }
        if let user = invocation.value("user") {
            guard let path = invocation.value("password-file") else {
                throw CommandFailure("--user needs --password-file", code: .usage)
            }
            client.authorization = "Basic " + Base64.text(Array("\(user):\(try Console.secret(in: path))".utf8))
        }
        return client
    }
}
