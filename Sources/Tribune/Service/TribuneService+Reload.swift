internal import History
internal import Identity
internal import MetricModel
internal import PrometheusAPI
internal import Runtime
internal import Synchronization

extension TribuneService {
    /// Reads the configuration again for `principal`, or for a signal. Where it has errors, nothing changes.
    func reload(for principal: Principal? = nil) -> ConfigurationReload {
        let actor = principal.map { LedgerActor($0) } ?? LedgerActor(method: "signal")
        let configuration: LoadedConfiguration
        do throws(CommandFailure) {
            configuration = try LoadedConfiguration.load(settings)
            if let refusal = refusal(of: configuration) { throw CommandFailure(refusal) }
        } catch {
            refused(error.message, by: actor)
            return .failed(error.message)
        }
        if let reason = lacksApproval(configuration, of: principal) {
            refused(reason, by: actor)
            return .needsApproval(reason)
        }
        let waits = apply(configuration)
        recorder.configured(
            settings.configFile, files: configuration.files(settings.configFile), error: nil, by: actor)
        logger.info("configuration reloaded", ["file": settings.configFile])
        return .done(waits: waits)
    }

    private func refused(_ reason: String, by actor: LedgerActor) {
        state.reloadFailed(reason)
        recorder.configured(settings.configFile, error: reason, by: actor)
        logger.error("configuration not reloaded, the former one stays in force", ["error": reason])
    }

    /// Why `configuration` needs another identity before it comes into force; `nil` if it does not.
    private func lacksApproval(_ configuration: LoadedConfiguration, of principal: Principal?) -> String? {
        guard state.configuration.file.demandsSecondApprover else { return nil }
        let lines = RuleLoosening(from: state.configuration, to: configuration).lines
        guard !lines.isEmpty else { return nil }
        let files = configuration.files(settings.configFile)
        let identity = principal?.personalName
        let decision = secondApproval.withLock {
            $0.asked(recorder.identity(of: files), by: identity, at: ServiceBuilder.now())
        }
        let text = "the new configuration loosens what is enforced: \(lines.joined(separator: "; "))"
        switch decision {
        case .granted(let first):
            logger.warn(
                "enforcement loosened",
                ["first": first, "second": identity ?? "", "changes": lines.joined(separator: "; ")])
            return nil
        case .waits, .same:
            return "\(text). \(identity ?? "") wants it; within \(SecondApproval.lifetime) another identity has to "
                + "order the same reload (POST /-/reload)"
        case .unproved:
            return
                "\(text). Two different identities have to order this reload (POST /-/reload); neither a signal nor the "
                + "local socket and token prove who asks"
        }
    }
}
