"""What INFO answers at hosts of Redis, as it comes over the wire, and what CONFIG GET tells beside it.

Nobody here has an account at these hosts: each answer is put together from what is public, and says from what. Fields
that no check reads are left out, values that nobody published are such as an ordinary Redis has. `decoded` reads them
as redis-py does.
"""

from typing import Any

import redis

# The answer of a Heroku Redis 7.0.14 stands in sidekiq/sidekiq#6162 up to used_memory. What comes after it there is not
# public; Dev Center ("Heroku Key-Value Store", Persistence) says that production plans write an append-only file
# every second, and `heroku redis:maxmemory` sets the policy. CONFIG is forbidden (oliver006/redis_exporter#13).
HEROKU_PREMIUM = """\
# Server
redis_version:7.0.14
redis_mode:standalone
os:Linux 5.15.0-1049-aws x86_64
executable:/usr/lib/redis/7.0/bin/redis-server
config_file:/etc/redis/heroku-redis.conf
# Persistence
aof_enabled:1
aof_last_write_status:ok
# Memory
used_memory:3384600
maxmemory:52428800
maxmemory_policy:noeviction
# Replication
role:master
"""

# Mini plans keep nothing on a disk (the same page).
HEROKU_MINI = HEROKU_PREMIUM.replace("aof_enabled:1", "aof_enabled:0")

# The memory section, without maxmemory and maxmemory_policy, is that of the answer in sidekiq/sidekiq#5086 (Redis
# Enterprise Cloud, 2021, then 6.0.9); #5712 and #5664 say the same of later ones. The persistence section is cut short
# there, so what a primary says of aof_enabled is not known: by redis.io ("How can I enable persistence in the primary
# shard") the append-only file is by default that of the replica, so 0 is the answer that must not be believed.
# "Compatibility with Redis Open Source configuration settings" says that CONFIG GET of what we ask for is an error.
REDIS_CLOUD = """\
# Server
redis_version:7.2.4
redis_git_sha1:00000000
redis_mode:standalone
os:Linux 5.4.0-1051-aws x86_64
hz:10
lru_clock:0
config_file:
# Persistence
loading:0
aof_enabled:0
aof_last_write_status:ok
# Memory
used_memory:1054058256
used_memory_lua:65536
mem_fragmentation_ratio:1
mem_allocator:jemalloc-5.1.0
# Replication
role:master
"""

# The server section is that of the answer in oliver006/redis_exporter#597 (there 6.0.5, and in cluster mode). The AWS
# guide says that an append-only file is not supported from 2.8.22 on, and that CONFIG is not available; the default
# parameter groups evict (volatile-lru).
ELASTICACHE = """\
# Server
redis_version:7.1.0
redis_git_sha1:0
redis_mode:standalone
os:Amazon ElastiCache
executable:-
config_file:-
# Persistence
aof_enabled:0
aof_last_write_status:ok
# Memory
used_memory:8302536
maxmemory:436469760
maxmemory_policy:volatile-lru
# Replication
role:master
"""

# No answer of one is public. Google's pages say: CONFIG is blocked, volatile-lru is the default policy, and persistence
# is by snapshots (RDB) alone.
MEMORYSTORE_REDIS = """\
# Server
redis_version:7.2.4
redis_mode:standalone
# Persistence
aof_enabled:0
aof_last_write_status:ok
# Memory
used_memory:8302536
maxmemory:1073741824
maxmemory_policy:volatile-lru
# Replication
role:master
"""

# No answer of one is public either. "About AOF persistence" says that it can be switched on, with appendfsync as one
# chooses, every second by default.
MEMORYSTORE_VALKEY = """\
# Server
redis_version:7.2.4
server_name:valkey
valkey_version:8.0.1
server_mode:standalone
# Persistence
aof_enabled:1
aof_last_write_status:ok
# Memory
used_memory:8302536
maxmemory:1073741824
maxmemory_policy:noeviction
# Replication
role:master
"""

# Upstash's page on INFO names the sections server, clients, memory, stats, cluster and keyspace, and says that of
# others only the heading comes. Which fields are in them it does not say: so here are only those that every client
# asks for.
UPSTASH = """\
# Server
redis_version:6.2.6
# Persistence
# Memory
used_memory:8302536
# Replication
"""

# Of Valkey 8.1.8 as it answers here, without what no check reads.
VALKEY_8 = """\
# Server
redis_version:7.2.4
server_name:valkey
valkey_version:8.1.8
valkey_release_stage:ga
server_mode:standalone
# Persistence
aof_enabled:1
aof_last_write_status:ok
# Memory
used_memory:1037256
maxmemory:0
maxmemory_policy:noeviction
# Replication
role:master
"""
CONFIG_OF_VALKEY_8 = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}


def decoded(answer: str) -> dict[str, Any]:
    read = redis.Redis().response_callbacks["INFO"]
    found: dict[str, Any] = read(answer.replace("\n", "\r\n").encode())
    return found
