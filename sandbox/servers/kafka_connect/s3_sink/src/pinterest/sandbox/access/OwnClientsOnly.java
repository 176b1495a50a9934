package pinterest.sandbox.access;

import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.container.PreMatching;
import jakarta.ws.rs.core.Response;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.Map;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.connect.rest.ConnectRestExtension;
import org.apache.kafka.connect.rest.ConnectRestExtensionContext;

/**
 * Answers 401 to every REST request without the sandbox's password, so that no web page and no other user reaches the
 * worker. Kafka's own extension for this was last released for 4.3 and does not load into 4.4.
 */
public final class OwnClientsOnly implements ConnectRestExtension {
    public static final String CREDENTIAL = "sandbox.rest.credential"; // user:password, in the worker's configuration

    private byte[] expected;

    @Override
    public void configure(Map<String, ?> configuration) {
        Object credential = configuration.get(CREDENTIAL);
        if (credential == null) {
            throw new ConfigException("The worker's configuration has no " + CREDENTIAL + ".");
        }
        String encoded = Base64.getEncoder().encodeToString(credential.toString().getBytes(StandardCharsets.UTF_8));
        expected = ("Basic " + encoded).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void register(ConnectRestExtensionContext context) {
        context.configurable().register(new PasswordFilter(expected));
    }

    @Override
    public String version() {
        return "1";
    }

    @Override
    public void close() {
        // Nothing is open
    }

    @PreMatching // so that a stranger is not even told which paths and content types there are
    private record PasswordFilter(byte[] expected) implements ContainerRequestFilter {
        @Override
        public void filter(ContainerRequestContext request) {
            String given = String.valueOf(request.getHeaderString("Authorization"));
            if (!MessageDigest.isEqual(expected, given.getBytes(StandardCharsets.UTF_8))) {
                request.abortWith(Response.status(Response.Status.UNAUTHORIZED).build());
            }
        }
    }
}
