package org.opensearch.transport.grpc.spi;

/** As {@link QueryBuilderProtoConverterRegistry}. */
public interface QueryBuilderProtoConverter {}
