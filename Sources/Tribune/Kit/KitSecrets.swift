internal import JSON
internal import Passwords
internal import TLS

/// Tokens and passwords of one kit, made at its start. They are in `kit.json` of its directory, which only its user can
/// read.
struct KitSecrets: Sendable {
    /// The people who may attest, with their passwords.
    let passwords: [(name: String, password: String)]
    /// The token of pipelines and of the executor.
    let gatesToken: String
    /// The access file: the people with hashes of their passwords.
    let accessFile: String

    init() throws(CommandFailure) {
        passwords = [("lead", try Self.random()), ("auditor", try Self.random())]
        gatesToken = try Self.random()
        var text = "everybody: [observer]\nthis_machine: [observer, responder, write]\nusers:\n"
        for (name, password) in passwords {
            guard let hash = BcryptPasswords.hash(password) else { throw CommandFailure("libcrypt makes no hash") }
            let roles = name == "lead" ? "[admin]" : "[auditor, operator]"
            text += "- {name: \(name), password_hash: '\(hash)', roles: \(roles)}\n"
        }
        accessFile = text
    }

    /// For scripts.
    var json: [JSON.Member] {
        [
            JSON.Member("gates_token", .string(gatesToken)),
            JSON.Member("passwords", .object(passwords.map { JSON.Member($0.name, .string($0.password)) })),
        ]
    }

    private static func random() throws(CommandFailure) -> String {
        do throws(TLSError) { return Hexadecimal.text(try SecureRandom.bytes(12)) } catch {
            throw CommandFailure(error.description)
        }
    }
}
