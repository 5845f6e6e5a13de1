"""Prices and supply on disk: the catalogue document, the cache with its last good copy, the overlay file, a refresh.

What a catalogue is, and which prices are believed, is in `model`; how a cloud is asked is the providers' business. This
package reads and writes files, and knows no cloud.
"""
