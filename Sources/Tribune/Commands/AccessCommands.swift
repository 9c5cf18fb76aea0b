internal import Passwords
internal import TLS

/// `tribune access …`: makes secrets for the access file.
enum AccessCommands {
    static let token = Command(
        "access token", "Make a token for a program, and its entry for the access file.", operands: "NAME",
        count: 1...1,
        options: [
            .value("role", "ROLE", "A role; may be repeated.", default: "service"),
            .value("expires", "TIME", "When it ends, such as 2027-01-01T00:00:00Z. Default: never."),
        ],
        details: """
            The first line is the token, which is kept nowhere else. The second goes below "tokens" of the access file; it holds a
            hash. To revoke a token, remove its entry and reload.
            """
    ) { (invocation) throws(CommandFailure) in
        let text: String
        do throws(TLSError) {
            text = "trb_" + Hexadecimal.text(try SecureRandom.bytes(32))
        } catch {
            throw CommandFailure(error.description)
        }
        let roles = invocation.values("role").joined(separator: ", ")
        let expires = invocation.value("expires").map { ", expires: \($0)" } ?? ""
        Console.print(text)
        Console.print(
            "- {name: \(invocation.operands[0]), hash: \(SHA256.hex(text)), roles: [\(roles)]\(expires)}")
        return 0
    }

    static let password = Command(
        "access password", "Make the hash of a password for the access file.",
        details: "Reads the password from standard input, up to the first line end. Prints a bcrypt hash."
    ) { (_) throws(CommandFailure) in
        let line = try Console.standardInput().prefix { $0 != "\n" && $0 != "\r\n" }
        guard !line.isEmpty, line.utf8.count <= 72, !line.utf8.contains(0) else {
            throw CommandFailure("a password has 1 to 72 bytes: bcrypt ignores the rest")
        }
        guard let hash = BcryptPasswords.hash(String(line)) else { throw CommandFailure("libcrypt makes no hash") }
        Console.print(hash)
        return 0
    }
}
