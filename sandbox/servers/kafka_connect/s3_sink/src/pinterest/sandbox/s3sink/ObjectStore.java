package pinterest.sandbox.s3sink;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.RetriableException;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.exception.ApiCallAttemptTimeoutException;
import software.amazon.awssdk.core.exception.ApiCallTimeoutException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * The bucket. Credentials come from the SDK's default chain; so does the endpoint (AWS_ENDPOINT_URL_S3, then
 * AWS_ENDPOINT_URL) where {@code store.url} names none.
 */
final class ObjectStore implements AutoCloseable {
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration CALL_TIMEOUT = Duration.ofSeconds(30);

    private final S3Client client;
    private final String bucket;

    ObjectStore(S3SinkConfig config) {
        var builder = S3Client.builder()
                .region(Region.of(config.getString(S3SinkConfig.REGION)))
                .forcePathStyle(config.getBoolean(S3SinkConfig.PATH_STYLE))
                .overrideConfiguration(override -> override.apiCallTimeout(CALL_TIMEOUT))
                .httpClientBuilder(UrlConnectionHttpClient.builder()
                        .connectionTimeout(CONNECT_TIMEOUT)
                        .socketTimeout(CALL_TIMEOUT));
        String url = config.getString(S3SinkConfig.STORE_URL);
        if (url != null) {
            builder.endpointOverride(URI.create(url));
        }
        this.client = builder.build();
        this.bucket = config.getString(S3SinkConfig.BUCKET);
    }

    /** Fails where S3 says that the bucket cannot be used; S3 being away is no such word. */
    void requireBucket() {
        try {
            client.headBucket(request -> request.bucket(bucket));
        } catch (SdkException error) {
            if (!isRetriable(error)) {
                throw failure("use bucket s3://" + bucket, error);
            }
        }
    }

    void put(LakeObject object) {
        try {
            client.putObject(
                    request -> request.bucket(bucket).key(object.key()), RequestBody.fromBytes(object.close()));
        } catch (SdkException error) {
            throw failure("write s3://" + bucket + "/" + object.key(), error);
        }
    }

    private static ConnectException failure(String doing, SdkException error) {
        String reason = error.getMessage();
        if (isRetriable(error)) {
            return new RetriableException("Could not " + doing + " yet: " + reason, error);
        }
        return new ConnectException(
                "Cannot " + doing + ": " + reason + ". Check the bucket's name and the worker's permissions.", error);
    }

    /** S3's own 5xx, throttling and time-outs, and a connection that failed; not a refusal or missing credentials. */
    static boolean isRetriable(SdkException error) {
        if (error instanceof AwsServiceException answer) {
            return answer.statusCode() >= 500
                    || answer.statusCode() == 408
                    || answer.isThrottlingException()
                    || answer.isClockSkewException();
        }
        if (error instanceof ApiCallTimeoutException || error instanceof ApiCallAttemptTimeoutException) {
            return true;
        }
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            if (cause instanceof IOException) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {
        client.close();
    }
}
