internal import Glibc
internal import Runtime
internal import YAML

/// A file with a secret that more users can read or write than need it.
struct ExposedFile: Equatable {
    let path: String
    /// The rights, such as `0644`.
    let mode: String
}

extension LoadedConfiguration {
    /// The files with secrets, named in the fields of all files of the configuration, that every user can read, or
    /// others than the owner can change. Files that cannot be read now are reported where they are used.
    ///
    /// - Parameters:
    ///   - main: the file of `--config.file`.
    ///   - more: further files with such fields, and files that are secrets themselves.
    func exposedFiles(_ main: String, web: String?, secrets: [String]) -> [ExposedFile] {
        var paths = Set(secrets)
        for file in files(main) + (web.map { [$0] } ?? []) {
            // Files with errors are reported by their readers.
            guard case .some(let bytes) = try? FileText.bytes(file, limit: 16 << 20),
                case .some(let documents) = try? YAML.parse(bytes, file: file)
            else { continue }
            for document in documents { Self.secretFiles(document, Paths.directory(of: file), &paths) }
        }
        return paths.sorted().compactMap { path in
            var status = stat()
            guard unsafe stat(path, &status) == 0, status.st_mode & 0o026 != 0 else {
                return nil
            }
            let digits = String(status.st_mode & 0o7777, radix: 8)
            return ExposedFile(path: path, mode: String(repeating: "0", count: max(0, 4 - digits.count)) + digits)
        }
    }

    /// Adds the values of fields that name a file with a secret.
    private static func secretFiles(_ node: YAMLNode, _ directory: String, _ paths: inout Set<String>) {
        switch node.content {
        case .scalar: return
        case .sequence(let elements): for element in elements { secretFiles(element, directory, &paths) }
        case .mapping(let members):
            for member in members {
                if let name = member.key.text, isSecretFile(name), let text = member.value.text {
                    paths.insert(Paths.resolve(text, from: directory))
                }
                secretFiles(member.value, directory, &paths)
            }
        }
    }

    private static func isSecretFile(_ name: String) -> Bool {
        guard name.hasSuffix("_file") else { return false }
        let thing = name.dropLast(5)
        return ["password", "secret", "token", "credentials", "key", "connection", "kubeconfig", "url", "token_id"]
            .contains { thing == $0 || thing.hasSuffix("_" + $0) }
    }
}
